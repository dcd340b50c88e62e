'use strict';

// The table of rows: only those in sight are in the page. Arrows move, Enter and a click show all of a row.

(() => {
  const held = document.getElementById('rows-data');
  const region = document.getElementById('rows-scroll');
  if (!held || !region) return;
  const given = JSON.parse(held.textContent);
  const HEIGHT = 40;
  const NAME = 72;

  const all = given.rows.map(([index, name, other, status, message, problems, values, before, picture]) => ({
    index, name, other, message, problems, picture,
    status: problems.length && given.statuses[status] === 'ok' ? 'gate broken' : given.statuses[status],
    values: values.map(rows.number),
    before: before && before.map(rows.number),
    haystack: [name, other, message, ...problems].join(' ').toLowerCase(),
  }));

  const body = document.getElementById('rows-body');
  const count = document.getElementById('rows-count');
  const detail = document.getElementById('rows-detail');
  region.querySelector('table').style.setProperty('--metrics', given.metrics.length);
  const filter = { text: '', statuses: null, ranges: {} };
  let by = 'index';
  let descending = false;
  let shown = all;
  let active = 0;
  let drawn = [-1, -1];

  const cut = (text, most) => (text.length <= most ? text : `${text.slice(0, most - 13)}…${text.slice(-12)}`);

  function made(tag, text, className) {
    const node = document.createElement(tag);
    if (text !== undefined) node.textContent = text;
    if (className) node.className = className;
    return node;
  }

  function named(name, most) {
    const node = made('bdi', cut(name, most));
    if (name.length > most) node.title = name;
    return node;
  }

  function nameOf(row, most) {
    const node = made('span');
    node.append(named(row.name, most));
    if (row.other) node.append(' → ', named(row.other, most));
    return node;
  }

  function line(at) {
    const row = shown[at];
    const tr = made('tr');
    tr.setAttribute('aria-rowindex', at + 2);
    tr.dataset.at = at;
    tr.tabIndex = at === active ? 0 : -1;
    const first = made('th');
    first.scope = 'row';
    first.append(nameOf(row, NAME));
    const status = made('td', undefined, 'text');
    status.append(made('span', row.status, `badge ${row.status === 'ok' ? 'plain' : 'fail'}`));
    tr.append(made('td', String(row.index + 1), 'place'), first, status);
    row.values.forEach((value, i) => tr.append(made('td', rows.written(value, given.metrics[i].digits))));
    if (row.picture !== null) tr.classList.add('pictured');
    return tr;
  }

  function spacer(height) {
    const tr = made('tr', undefined, 'spacer');
    tr.setAttribute('aria-hidden', 'true');
    const td = made('td');
    td.colSpan = 3 + given.metrics.length;
    td.style.height = `${height}px`;
    tr.append(td);
    return tr;
  }

  function draw(anew) {
    const [first, last] = rows.visible(shown.length, HEIGHT, region.scrollTop, Math.max(region.clientHeight, 600), 8);
    if (!anew && first === drawn[0] && last === drawn[1]) return;
    const focused = body.contains(document.activeElement);
    drawn = [first, last];
    const lines = [];
    for (let at = first; at < last; at++) lines.push(line(at));
    body.replaceChildren(spacer(first * HEIGHT), ...lines, spacer((shown.length - last) * HEIGHT));
    if (active < first || active >= last) {
      if (lines.length) lines[Math.min(8, lines.length - 1)].tabIndex = 0;
    } else if (focused) {
      lines[active - first].focus({ preventScroll: true });
    }
  }

  function choose() {
    shown = rows.chosen(all, filter, by, descending);
    active = 0;
    region.scrollTop = 0;
    region.querySelector('table').setAttribute('aria-rowcount', shown.length + 1);
    const of = shown.length === all.length ? '' : ` of ${all.length.toLocaleString('en')}`;
    count.textContent = `${shown.length.toLocaleString('en')}${of} row${all.length === 1 ? '' : 's'}`;
    draw(true);
  }

  function move(at) {
    active = Math.max(0, Math.min(shown.length - 1, at));
    const room = region.clientHeight - HEIGHT;
    const top = active * HEIGHT;
    if (top < region.scrollTop) region.scrollTop = top;
    else if (top + HEIGHT > region.scrollTop + room) region.scrollTop = top + HEIGHT - room;
    draw(true);
    const node = body.querySelector(`[data-at="${active}"]`);
    if (node) node.focus({ preventScroll: true });
  }

  function fact(list, term, ...what) {
    const row = made('div');
    const value = made('dd');
    value.append(...what);
    row.append(made('dt', term), value);
    list.append(row);
  }

  function show(at) {
    const row = shown[at];
    if (!row) return;
    const list = made('dl', undefined, 'facts');
    fact(list, row.other ? 'reference' : 'pair', made('bdi', row.name));
    if (row.other) fact(list, 'test', made('bdi', row.other));
    fact(list, 'status', row.status);
    if (row.message) fact(list, 'message', made('bdi', row.message));
    row.problems.forEach((problem) => fact(list, 'gate', made('bdi', problem)));
    row.values.forEach((value, i) => {
      const { name, digits } = given.metrics[i];
      const old = row.before && row.before[i] !== null ? ` (was ${rows.written(row.before[i], digits)})` : '';
      fact(list, name, rows.written(value, digits) + old);
    });
    const head = made('div', undefined, 'detail-head');
    head.append(made('h3', `Row ${row.index + 1}`));
    if (row.picture !== null) {
      const open = made('button', 'Open pictures');
      open.type = 'button';
      open.dataset.pair = row.picture;
      head.append(open);
    }
    detail.replaceChildren(head, list);
    detail.hidden = false;
    detail.scrollIntoView({ block: 'nearest' });
  }

  region.addEventListener('scroll', () => requestAnimationFrame(() => draw(false)), { passive: true });
  addEventListener('resize', () => draw(true));

  body.addEventListener('click', (event) => {
    const tr = event.target.closest('tr[data-at]');
    if (!tr) return;
    active = Number(tr.dataset.at);
    draw(true);
    show(active);
  });

  body.addEventListener('keydown', (event) => {
    const page = Math.max(1, Math.floor(region.clientHeight / HEIGHT) - 2);
    const to = {
      ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page,
      Home: 0, End: shown.length - 1,
    }[event.key];
    if (to !== undefined) move(to);
    else if (event.key === 'Enter' || event.key === ' ') show(active);
    else return;
    event.preventDefault();
  });

  body.addEventListener('focusin', (event) => {
    const tr = event.target.closest('tr[data-at]');
    if (tr) active = Number(tr.dataset.at);
  });

  region.querySelector('thead').addEventListener('click', (event) => {
    const button = event.target.closest('button[data-by]');
    if (!button) return;
    const wanted = /^\d+$/.test(button.dataset.by) ? Number(button.dataset.by) : button.dataset.by;
    descending = wanted === by ? !descending : false;
    by = wanted;
    region.querySelectorAll('th[aria-sort]').forEach((th) => th.setAttribute('aria-sort', 'none'));
    button.closest('th').setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    choose();
  });

  const form = document.getElementById('rows-filter');
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('reset', () => setTimeout(read));
  form.addEventListener('input', () => read());

  function read() {
    filter.text = form.elements.text.value.trim().toLowerCase();
    const status = form.elements.status.value;
    filter.statuses = status ? new Set(status === 'notable' ? notable : [status]) : null;
    filter.ranges = {};
    given.metrics.forEach((metric, i) => {
      const ends = [form.elements[`low-${i}`], form.elements[`high-${i}`]];
      filter.ranges[i] = ends.map((end) => (end && end.value.trim() !== '' ? Number(end.value) : null));
    });
    choose();
  }

  const statuses = [...new Set(all.map((row) => row.status))].sort();
  const notable = statuses.filter((status) => status !== 'ok');
  statuses.forEach((status) => {
    const option = made('option', status);
    option.value = status;
    form.elements.status.append(option);
  });

  choose();
})();
