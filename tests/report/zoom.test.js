'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const zoom = require('../../python/pixelgauge/report/zoom.js');

const BOX = { width: 600, height: 400 };
const SIZES = [[1200, 800], [100, 1000], [3000, 30], [5, 5], [1, 1]].map(([width, height]) => ({ width, height }));

function close(a, b, what) {
  assert.ok(Math.abs(a - b) < 1e-6 * Math.max(1, Math.abs(a)), `${what}: ${a} is not ${b}`);
}

test('at the start the whole picture stands in the middle', () => {
  for (const size of SIZES) {
    const at = zoom.place(zoom.START, size, BOX);
    assert.ok(at.left >= -1e-6 && at.top >= -1e-6);
    assert.ok(at.width <= BOX.width + 1e-6 && at.height <= BOX.height + 1e-6);
    close(at.left + at.width / 2, BOX.width / 2, 'middle');
    close(at.width / at.height, size.width / size.height, 'shape');
  }
});

test('the point under the pointer stays there, unless an edge would leave the box', () => {
  for (const size of SIZES.slice(0, 1)) {
    let view = zoom.about(zoom.START, size, BOX, 4, 300, 200);
    const before = zoom.place(view, size, BOX);
    const u = (310 - before.left) / before.width;
    view = zoom.about(view, size, BOX, 1.3, 310, 190);
    const after = zoom.place(view, size, BOX);
    close(after.left + u * after.width, 310, 'point');
  }
});

test('whatever is done, no more of the box is empty than must be', () => {
  let seed = 1;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (const size of SIZES) {
    let view = zoom.START;
    for (let i = 0; i < 500; i++) {
      view = random() < 0.5
        ? zoom.moved(view, size, BOX, 900 * (random() - 0.5), 900 * (random() - 0.5))
        : zoom.about(view, size, BOX, Math.exp(3 * (random() - 0.5)), BOX.width * random(), BOX.height * random());
      const at = zoom.place(view, size, BOX);
      for (const [start, length, room] of [[at.left, at.width, BOX.width], [at.top, at.height, BOX.height]]) {
        assert.ok(Number.isFinite(start));
        if (length <= room) close(start + length / 2, room / 2, 'middle');
        else assert.ok(start <= 1e-6 && start + length >= room - 1e-6);
      }
      const [least, most] = zoom.limits(size, BOX);
      assert.ok(view.scale >= least && view.scale <= most);
    }
  }
});

test('a view is the same part of pictures of one shape', () => {
  const view = zoom.about(zoom.START, { width: 1200, height: 800 }, BOX, 3, 100, 100);
  const large = zoom.place(view, { width: 1200, height: 800 }, BOX);
  const small = zoom.place(view, { width: 600, height: 400 }, BOX);
  for (const key of Object.keys(large)) close(large[key], small[key], key);
});
