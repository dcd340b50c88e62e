'use strict';

// Colour scales of maps: bytes to colours whose lightness rises with the value, so that they are read in gray as well.

const colour = (() => {
  const SCALES = {
    inferno: ['000004', '1b0c41', '4a0c6b', '781c6d', 'a52c60', 'cf4446', 'ed6925', 'fb9b06', 'fcffa4'],
    cividis: ['00224e', '123570', '3b496c', '575d6d', '707173', '8a8678', 'a59c74', 'c3b369', 'e1cc55', 'fee838'],
    gray: ['000000', 'ffffff'],
  };

  function parsed(stop) {
    return [0, 2, 4].map((i) => parseInt(stop.slice(i, i + 2), 16));
  }

  // Colours of the bytes 0 to 255: 768 numbers.
  function table(name) {
    const stops = SCALES[name].map(parsed);
    const found = new Uint8ClampedArray(768);
    for (let value = 0; value < 256; value++) {
      const at = (value / 255) * (stops.length - 1);
      const low = Math.min(Math.floor(at), stops.length - 2);
      for (let c = 0; c < 3; c++) {
        found[3 * value + c] = stops[low][c] + (at - low) * (stops[low + 1][c] - stops[low][c]);
      }
    }
    return found;
  }

  // Paints bytes into RGBA, each times a gain first.
  function paint(values, rgba, name, gain) {
    const colours = table(name);
    for (let i = 0; i < values.length; i++) {
      const value = 3 * Math.min(255, Math.round(values[i] * gain));
      rgba[4 * i] = colours[value];
      rgba[4 * i + 1] = colours[value + 1];
      rgba[4 * i + 2] = colours[value + 2];
      rgba[4 * i + 3] = 255;
    }
    return rgba;
  }

  // The value that a byte stands for.
  function valueOf(byte, map) {
    return map.zero + (byte / 255) * (map.full - map.zero);
  }

  // A gain, in steps of powers of two, that brings nearly all bytes into the scale and shows them well.
  function gainFor(values) {
    const counts = new Uint32Array(256);
    for (const value of values) counts[value]++;
    let left = values.length / 200;
    let high = 255;
    while (high > 0 && (left -= counts[high]) > 0) high--;
    return Math.min(6, Math.max(0, Math.floor(Math.log2(255 / Math.max(high, 1)))));
  }

  return { SCALES, table, paint, valueOf, gainFor };
})();

if (typeof module === 'object') module.exports = colour;
