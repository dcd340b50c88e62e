// What the checks are for: a page with one fault of each kind, and each is told.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, it } from 'node:test';
import { VIEWS, launch, open } from './browser.mjs';
import { controls } from './controls.mjs';
import { frames } from './frames.mjs';
import { used, walked } from './keyboard.mjs';
import { axe, cutOff, overflowing } from './rules.mjs';
import { tapped } from './touch.mjs';

const PAGE = `<!doctype html><html lang="en"><meta charset="utf-8"><title>faulty</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
  .bare:focus { outline: none }
  .cover { position: absolute; inset: 0 0 auto 0; height: 60px; background: #fff }
  .wide { width: 3000px }
  .cut { overflow: auto; width: 300px; white-space: nowrap }
  button { min-height: 30px }
  .tiny { min-height: 0; width: 9px; height: 9px; padding: 0; border: 0; display: block }
  .pale { color: #ccc; background: #fff }
</style>
<main><h1>Faults</h1>
<button id="dead" style="position: absolute; top: 300px; height: 44px">does nothing</button>
<button id="below" style="position: absolute; top: 10px">is covered</button><div class="cover"></div>
<div style="height: 400px"></div>
<button id="bare" class="bare">shows no focus</button>
<button id="tiny" class="tiny" aria-label="too small"></button>
<button id="late" tabindex="2">comes out of order</button>
<p class="pale">pale</p><img src="data:,">
<div class="cut">${'a long line of text '.repeat(40)}</div>
<div class="wide">wide</div>
<img src="https://example.invalid/picture.png" alt="from elsewhere">
</main><script>
  document.getElementById('bare').onclick = () => { document.title += '!' };
  console.error('said');
  setTimeout(() => { throw new Error('thrown') });
</script></html>`;

let browser;
let folder;
before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'faulty-'));
  await writeFile(path.join(folder, 'faulty.html'), PAGE);
  browser = await launch();
});
after(async () => {
  await browser.close();
  await rm(folder, { recursive: true });
});

const opened = (options) => open(browser, path.join(folder, 'faulty.html'), options);

function tells(faults, ...patterns) {
  for (const pattern of patterns) assert.ok(faults.some((fault) => pattern.test(fault)), `${pattern} is not among\n${faults.join('\n')}`);
}

it('requests and errors are told', async () => {
  const { faults } = await opened();
  tells(await faults(), /request: https:\/\/example\.invalid\/picture\.png/, /console error: said/, /script error: .*thrown/);
});

it('axe and the widths are told', async () => {
  const { page } = await opened({ view: VIEWS.phone });
  tells((await axe(page, 'phone')).faults, /color-contrast/, /image-alt/);
  tells(await overflowing(page), /pixels wide on a screen of/);
  tells(await cutOff(page), /div .*cut/);
});

it('a walk by Tab tells what is out of order, covered or without a sign', async () => {
  const { page } = await opened();
  const { faults } = await walked(page, () => page.evaluate(() => document.activeElement.blur()));
  tells(faults, /#below.* is covered/, /#bare.* does not show/, /out of order/);
});

it('a control that does nothing, or cannot be hit, is told', async () => {
  for (const [use, view, patterns] of [
    [used, VIEWS.desktop, [/"does nothing": its keys change nothing/]],
    [tapped, VIEWS.phone, [/"does nothing": a tap changes nothing/, /"too small" is 9 x 9/, /"is covered" is covered/]],
  ]) {
    const { page } = await opened({ view });
    await page.$$eval('.wide, .cut', (nodes) => nodes.forEach((node) => node.remove())); // a phone would show all of it, small
    const faults = [];
    for (const control of await controls(page)) faults.push(...(await use(page, control)));
    tells(faults, ...patterns);
    assert.ok(!faults.some((fault) => fault.includes('shows no focus')), faults.join('\n'));
  }
});

it('a long frame is seen', async () => {
  const { page } = await opened();
  const found = await frames(page, () => page.evaluate(async () => {
    for (let turn = 0; turn < 8; turn++) {
      await new Promise(requestAnimationFrame);
      const end = performance.now() + 80;
      while (performance.now() < end);
    }
  }));
  assert.ok(found.p95 > 60, JSON.stringify(found));
});
