'use strict';

const assert = require('node:assert/strict');
const test = require('node:test');
const rows = require('../../python/pixelgauge/report/rows.js');

function row(index, name, status, ...values) {
  return { index, status, haystack: name, values };
}

const ALL = [
  row(0, 'b.png', 'ok', 30, 0.9),
  row(1, 'a.png', 'ok', Infinity, 1),
  row(2, 'c.png', 'missing', null, null),
  row(3, 'd.png', 'ok', 20, 0.9),
  row(4, 'e.png', 'gate broken', -5, null),
];
const NONE = { text: '', statuses: null, ranges: {} };
const order = (filter, by, descending) => rows.chosen(ALL, filter, by, descending).map(({ index }) => index);

test('rows are sorted by any column either way, those without a value last, equal ones by their place', () => {
  assert.deepEqual(order(NONE, 'index', false), [0, 1, 2, 3, 4]);
  assert.deepEqual(order(NONE, 'index', true), [4, 3, 2, 1, 0]);
  assert.deepEqual(order(NONE, 'name', false), [1, 0, 2, 3, 4]);
  assert.deepEqual(order(NONE, 0, false), [4, 3, 0, 1, 2]);
  assert.deepEqual(order(NONE, 0, true), [1, 0, 3, 4, 2]);
  assert.deepEqual(order(NONE, 1, false), [0, 3, 1, 2, 4]);
  assert.deepEqual(order(NONE, 1, true), [1, 0, 3, 2, 4]);
});

test('filters by text, status and range are all kept to, and ends of a range belong to it', () => {
  assert.deepEqual(order({ ...NONE, text: 'a.p' }, 'index', false), [1]);
  assert.deepEqual(order({ ...NONE, text: '.*' }, 'index', false), []);
  assert.deepEqual(order({ ...NONE, statuses: new Set(['missing', 'gate broken']) }, 'index', false), [2, 4]);
  assert.deepEqual(order({ ...NONE, ranges: { 0: [20, 30] } }, 'index', false), [0, 3]);
  assert.deepEqual(order({ ...NONE, ranges: { 0: [null, 0] } }, 'index', false), [4]);
  assert.deepEqual(order({ ...NONE, ranges: { 0: [25, null], 1: [0.95, null] } }, 'index', false), [1]);
  assert.deepEqual(order({ ...NONE, ranges: { 0: [null, null] } }, 'index', false), [0, 1, 2, 3, 4]);
});

test('the rows in sight are a bounded part of any number', () => {
  assert.deepEqual(rows.visible(10000, 40, 0, 400, 8), [0, 18]);
  assert.deepEqual(rows.visible(10000, 40, 4000, 400, 8), [92, 118]);
  assert.deepEqual(rows.visible(10000, 40, 1e9, 400, 8), [10000, 10000]);
  assert.deepEqual(rows.visible(0, 40, 0, 400, 8), [0, 0]);
});

test('numbers come back from JSON', () => {
  assert.deepEqual(['inf', '-inf', null, 1.5, undefined].map(rows.number), [Infinity, -Infinity, null, 1.5, null]);
});

// From Python: format(value, digits).
const WRITTEN = JSON.parse(process.env.WRITTEN || '[]');

test('numbers are written as Python writes them', () => {
  for (const [value, digits, text] of WRITTEN) assert.equal(rows.written(value, digits), text.replaceAll('-', '−'), `${value} ${digits}`);
  assert.equal(rows.written(Infinity, '.4f'), '∞');
  assert.equal(rows.written(null, '.4f'), '–');
});
