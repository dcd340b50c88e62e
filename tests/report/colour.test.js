'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const colour = require('../../python/pixelgauge/report/colour.js');

test('every scale grows lighter', () => {
  for (const name of Object.keys(colour.SCALES)) {
    const table = colour.table(name);
    let before = -1;
    for (let value = 0; value < 256; value++) {
      const [r, g, b] = table.slice(3 * value, 3 * value + 3);
      const lightness = 0.2126 * r ** 2.2 + 0.7152 * g ** 2.2 + 0.0722 * b ** 2.2;
      assert.ok(lightness >= before * 0.999, `${name} at ${value}`);
      before = lightness;
    }
  }
});

test('a gain moves values along the scale, to its end and not beyond', () => {
  const table = colour.table('inferno');
  const rgba = colour.paint([0, 1, 10, 200], new Uint8ClampedArray(16), 'inferno', 4);
  for (const [i, value] of [0, 4, 40, 255].entries()) {
    assert.deepEqual([...rgba.slice(4 * i, 4 * i + 3)], [...table.slice(3 * value, 3 * value + 3)]);
    assert.equal(rgba[4 * i + 3], 255);
  }
});

test('bytes stand for values between the ends of a map', () => {
  assert.equal(colour.valueOf(0, { zero: 1, full: -1 }), 1);
  assert.equal(colour.valueOf(255, { zero: 1, full: -1 }), -1);
  assert.equal(colour.valueOf(51, { zero: 0, full: 255 }), 51);
});

test('the gain brings what there is into the scale', () => {
  assert.equal(colour.gainFor(new Uint8Array(1000).fill(200)), 0);
  assert.equal(colour.gainFor(new Uint8Array(1000).fill(3)), 6);
  assert.equal(colour.gainFor(new Uint8Array(1000)), 6);
  assert.equal(colour.gainFor(new Uint8Array(1000).fill(60)), 2);
});
