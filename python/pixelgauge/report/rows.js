'use strict';

// Rows of a table: which of them a filter takes, in which order, and how their numbers are written.

const rows = (() => {
  // A number of a cell, null where there is none; infinities are text in JSON.
  function number(cell) {
    if (cell === null || cell === undefined) return null;
    if (cell === 'inf') return Infinity;
    if (cell === '-inf') return -Infinity;
    return cell;
  }

  // A tie goes to the even digit, as in Python and so in the command's own lines; toFixed goes away from zero.
  function toEven(write, places) {
    const MORE = 40;
    const text = write(places);
    const [digits, exponent] = write(places + MORE).split('e');
    if (!/^50+$/.test(digits.slice(-MORE))) return text;
    const below = digits.slice(0, -MORE).replace(/\.$/, '');
    if ('13579'.includes(below.at(-1))) return text;
    return exponent === undefined ? below : `${below}e${exponent}`;
  }

  // As Python writes it with the formats .4f and .6g.
  function written(value, digits) {
    if (value === null) return '–';
    if (!Number.isFinite(value)) return value > 0 ? '∞' : '−∞';
    const places = parseInt(digits.slice(1), 10);
    const fixed = (count) => value.toFixed(count);
    if (digits.endsWith('f')) return toEven(fixed, places).replace('-', '−');
    if (value === 0) return '0';
    const exponent = Math.floor(Math.log10(Math.abs(Number(value.toPrecision(places)))));
    const text = exponent < -4 || exponent >= places
      ? toEven((count) => value.toExponential(count), places - 1).replace(/\.?0+e/, 'e').replace(/e([+-])(\d)$/, 'e$10$2')
      : toEven(fixed, Math.max(0, places - 1 - exponent)).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '');
    return text.replaceAll('-', '−');
  }

  // filter: {text, statuses: Set or null, ranges: {column: [low or null, high or null]}}
  function taken(row, filter) {
    if (filter.statuses && !filter.statuses.has(row.status)) return false;
    if (filter.text && !row.haystack.includes(filter.text)) return false;
    for (const [column, [low, high]] of Object.entries(filter.ranges)) {
      if (low === null && high === null) continue;
      const value = row.values[column];
      if (value === null || (low !== null && value < low) || (high !== null && value > high)) return false;
    }
    return true;
  }

  function key(row, by) {
    if (by === 'index') return row.index;
    if (by === 'name') return row.haystack;
    if (by === 'status') return row.status;
    return row.values[by];
  }

  // Orders by a key, upwards or downwards; rows without it come last either way, equal ones as they were in the run.
  function compared(by, descending) {
    const sign = descending ? -1 : 1;
    return (a, b) => {
      const x = key(a, by);
      const y = key(b, by);
      if (x === null || y === null) return (x === null) - (y === null) || a.index - b.index;
      return (x < y ? -sign : x > y ? sign : 0) || a.index - b.index;
    };
  }

  function chosen(all, filter, by, descending) {
    return all.filter((row) => taken(row, filter)).sort(compared(by, descending));
  }

  // First and one past the last of the rows that are to be in the page, for a scroll of so many pixels.
  function visible(count, height, top, room, beyond) {
    const first = Math.max(0, Math.min(count, Math.floor(top / height) - beyond));
    return [first, Math.min(count, Math.ceil((top + room) / height) + beyond)];
  }

  return { number, written, taken, compared, chosen, visible };
})();

if (typeof module === 'object') module.exports = rows;
