// Every report in the folder that PIXELGAUGE_REPORTS names, opened in Chromium and used; pictures of it go to
// PIXELGAUGE_SHOTS. `make_reports.py` makes the reports.

import assert from 'node:assert/strict';
import { mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { VIEWS, launch, machine, open, settled } from './browser.mjs';
import { controls, described } from './controls.mjs';
import { MOST_MS, frames, told } from './frames.mjs';
import { used, walked } from './keyboard.mjs';
import { axe, cutOff, overflowing } from './rules.mjs';
import { closed, pinched, tapped } from './touch.mjs';

const FOLDER = process.env.PIXELGAUGE_REPORTS;
const SHOTS = process.env.PIXELGAUGE_SHOTS ?? path.join(FOLDER, 'shots');
const files = (await readdir(FOLDER)).filter((file) => file.endsWith('.html')).sort();
const MOST_BYTES = 20e6;
const LOOKS = [
  ['desktop', {}], ['phone', { view: VIEWS.phone }], ['dark', { dark: true }], ['phone-dark', { view: VIEWS.phone, dark: true }],
];

await mkdir(SHOTS, { recursive: true });
let browser;
before(async () => {
  browser = await launch();
  console.log(`${await machine(browser)}`);
  console.log(`pictures in ${SHOTS}`);
});
after(() => browser.close());

// Nothing that the page must not do, and no fault of the list.
async function none(report, faults = []) {
  assert.deepEqual([...faults, ...(await report.faults())], []);
}

// Run a check on a page of its own.
async function on(file, options, check) {
  const report = await open(browser, path.join(FOLDER, file), options);
  try {
    await check(report.page, report);
  } finally {
    await report.page.close();
  }
}

// A picture of the whole page, or of a dialog over it as it is on the screen.
function picture(page, file, name) {
  return page.screenshot({ path: path.join(SHOTS, `${path.parse(file).name}.${name}.png`), fullPage: !name.startsWith('viewer') });
}

// What is not there once the reader has been through the whole page: pictures that do not load.
async function blanks(page) {
  for (let top = 0; top < (await page.evaluate(() => document.documentElement.scrollHeight)); top += 600) {
    await page.evaluate((y) => scrollTo(0, y), top);
    await settled(page);
  }
  await page.evaluate(() => scrollTo(0, 0));
  await settled(page);
  return page.$$eval('img', (nodes) => nodes
    .filter((node) => node.checkVisibility() && !(node.complete && node.naturalWidth > 0))
    .map((node) => `a picture does not load: ${node.alt}`));
}

// The controls whose turn it is one after another, on a page that is loaded anew when the one before has hidden them.
async function each(page, act) {
  const faults = [];
  let list = await controls(page, { few: true });
  for (let at = 0; at < list.length; at++) {
    const seen = await list[at].evaluate((node) => node.isConnected && node.checkVisibility() && node.tabIndex >= 0);
    if (!seen || (await page.$('dialog:modal'))) {
      await page.reload({ waitUntil: 'load' });
      await settled(page);
      list = await controls(page, { few: true });
      if (at >= list.length) break;
    }
    faults.push(...(await act(list[at])));
  }
  return faults;
}

for (const file of files) {
  describe(file, () => {
    for (const [name, options] of LOOKS) {
      it(`${name}: nothing is asked for or refused, axe finds nothing grave, and it is as wide as the screen`, () => on(file, options, async (page, report) => {
        const blank = await blanks(page);
        await picture(page, file, name);
        const { faults, notes } = await axe(page, name);
        notes.forEach((note) => console.log(`${file}: ${note}`));
        await none(report, [...blank, ...faults, ...(await overflowing(page))]);
      }));
    }

    it('is one file of at most 20 MB', async () => {
      const { size } = await stat(path.join(FOLDER, file));
      assert.ok(size <= MOST_BYTES, `${size} bytes`);
    });

    it('without colour', () => on(file, {}, async (page, report) => {
      await page.emulateVisionDeficiency('achromatopsia');
      await none(report, await blanks(page));
      await picture(page, file, 'without-colour');
    }));

    it('print', () => on(file, {}, async (page, report) => {
      await page.setViewport({ width: 794, height: 1123 });
      await page.emulateMediaType('print');
      await picture(page, file, 'print');
      await page.pdf({ path: path.join(SHOTS, `${path.parse(file).name}.pdf`), format: 'A4', timeout: 120_000 });
      await none(report, await cutOff(page));
    }));

    it('is read without its scripts', () => on(file, {}, async (page) => {
      await page.setJavaScriptEnabled(false);
      await page.reload({ waitUntil: 'load' });
      const text = await page.$eval('main', (node) => node.innerText);
      assert.ok(text.length > 200, text);
      await picture(page, file, 'no-script');
    }));

    it('the policy of the page refuses what strangers put into it', () => on(file, {}, async (page, report) => {
      const after = await page.evaluate(async () => {
        const script = document.createElement('script');
        script.textContent = 'window.__ran = true';
        document.body.append(script);
        const image = new Image();
        image.src = 'https://example.invalid/a.png';
        const style = document.createElement('style');
        style.textContent = 'body { display: none }';
        document.body.append(style);
        document.body.insertAdjacentHTML('beforeend', '<img src=x onerror="window.__ran = true">');
        await fetch('https://example.invalid/').catch(() => {});
        await new Promise((done) => setTimeout(done, 200));
        return [window.__ran === undefined, getComputedStyle(document.body).display, window.__violations.length];
      });
      assert.ok(after[0], 'it ran');
      assert.notEqual(after[1], 'none');
      assert.ok(after[2] >= 5, `${after[2]} violations`);
      assert.deepEqual((await report.faults()).filter((fault) => fault.startsWith('request')), []);
    }));

    it('Tab reaches every control, in order and in sight', () => on(file, {}, async (page, report) => {
      const { count, faults } = await walked(page, () => page.evaluate(() => { scrollTo(0, 0); document.activeElement.blur(); }));
      console.log(`${file}: ${count} controls`);
      await none(report, faults);
    }));

    it('keys use every control, also in a dialog', () => on(file, {}, async (page, report) => {
      let inside = false;
      const faults = await each(page, (control) => used(page, control, async () => {
        if (inside) return [];
        inside = true;
        return inDialog(page, file, (within) => used(page, within));
      }));
      await none(report, faults);
    }));

    it('fingers use every control, also in a dialog', () => on(file, { view: VIEWS.phone }, async (page, report) => {
      let inside = false;
      const faults = await each(page, (control) => tapped(page, control, async () => {
        const first = !inside;
        inside = true;
        const within = first ? await inDialog(page, file, (one) => tapped(page, one), 'phone') : [];
        return [...within, ...(await closed(page))];
      }));
      await none(report, faults);
    }));

    it('a pair that is opened keeps its zoom from view to view, also by two fingers', () => on(file, { view: VIEWS.phone }, zoomed));

    if (file.includes('hostile')) it('hostile names are text', () => on(file, {}, hostile));
    if (file.includes('large')) it('ten thousand rows scroll and filter without a long frame', () => on(file, {}, fast));
  });
}

// All controls of a dialog that is open, in each of its views; those that leave the view are used in the first one.
async function inDialog(page, file, act, size = 'desktop') {
  const faults = [];
  await picture(page, file, `viewer-${size}`);
  const walk = await walked(page, () => page.evaluate(() => document.querySelector('dialog:modal').focus()));
  if (size === 'desktop') faults.push(...walk.faults);
  const views = await page.$$eval('dialog:modal [role="toolbar"] button', (nodes) => nodes.map((node) => node.textContent));
  for (const [at, name] of (views.length ? views : ['only']).entries()) {
    const show = async () => {
      await page.evaluate((index) => document.querySelectorAll('dialog:modal [role="toolbar"] button')[index]?.click(), at);
      await settled(page);
    };
    await show();
    await picture(page, file, `viewer-${size}-${name.replace(/\W+/g, '-')}`);
    faults.push(...(await axe(page, `dialog, ${name}`)).faults, ...(await overflowing(page)));
    const count = (await controls(page)).length;
    for (let one = 0; one < count; one++) {
      const control = (await controls(page))[one];
      const said = control ? await described(control) : 'close';
      const leaves = control && (await control.evaluate((node) => Boolean(node.closest('[role="toolbar"]'))) || /previous|next/i.test(said));
      if (/close/i.test(said) || (leaves && at > 0)) continue;
      faults.push(...(await act(control)).map((fault) => `in the dialog, ${name}: ${fault}`));
      if (leaves) await show();
    }
  }
  return faults;
}

// Only of pages that open pairs.
async function zoomed(page, report) {
  const opener = await page.$('button[data-pair]');
  if (!opener) return;
  await opener.evaluate((node) => node.click());
  await settled(page);
  const said = () => page.$eval('#viewer-zoom-said', (node) => parseFloat(node.textContent));
  const show = async (key) => {
    await page.keyboard.press(key);
    await settled(page);
  };
  const views = (await page.$$('#viewer-views button')).length;
  const found = { before: [], pinched: [], keys: [] };
  const all = async (into) => {
    for (let view = 2; view <= views; view++) {
      await show(String(view));
      into.push(await said());
    }
  };
  await show('2');
  found.before.push(await said());
  await show('3');
  await pinched(page, await page.$('#viewer-stage'));
  await settled(page);
  await all(found.pinched);
  await show('+');
  await all(found.keys);
  const [fitted] = found.before;
  const words = JSON.stringify(found);
  assert.ok(found.pinched[0] > 1.3 * fitted, `two fingers: ${words}`);
  assert.ok(found.keys[0] > 1.3 * found.pinched[0] || found.keys[0] >= 800, `plus: ${words}`);
  for (const values of [found.pinched, found.keys]) assert.ok(values.every((value) => Math.abs(value / values[0] - 1) < 0.2), `from view to view: ${words}`);
  await none(report);
}

async function hostile(page, report) {
  const found = await page.evaluate(() => {
    const nodes = [...document.querySelectorAll('*')];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const unguarded = [];
    const turning = [];
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      if (['SCRIPT', 'STYLE'].includes(node.parentElement.tagName)) continue;
      if (/[\u202a-\u202e\u2066-\u2069]/.test(node.data)) turning.push(node.data.slice(0, 80));
      if (/\p{Script=Hebrew}|\p{Script=Arabic}/u.test(node.data)) {
        const isolated = (up) => up && (/isolate/.test(getComputedStyle(up).unicodeBidi) || up.tagName === 'TEXT' || up.tagName === 'OPTION' || isolated(up.parentElement));
        if (!isolated(node.parentElement)) unguarded.push(node.data.slice(0, 80));
      }
    }
    return {
      ran: window.__ran,
      handlers: nodes.filter((node) => [...node.attributes].some(({ name }) => name.startsWith('on'))).map((node) => node.outerHTML.slice(0, 200)),
      sources: nodes.filter((node) => node.src && !node.src.startsWith('data:') && !node.src.startsWith('blob:')).map((node) => node.src.slice(0, 200)),
      links: nodes.filter((node) => node.href && /^\s*javascript:/i.test(node.getAttribute('href') ?? '')).map((node) => node.outerHTML.slice(0, 200)),
      strange: [...new Set(nodes.map((node) => node.localName))].filter((name) => ['iframe', 'object', 'embed', 'base', 'link', 'marquee', 'foreignobject'].includes(name)),
      visible: document.body.innerText.length,
      turning,
      unguarded,
    };
  });
  const { visible, ran, ...rest } = found;
  assert.equal(ran, undefined);
  assert.ok(visible > 500);
  assert.deepEqual(rest, { handlers: [], sources: [], links: [], strange: [], turning: [], unguarded: [] });
  await none(report);
}

async function fast(page, report) {
  const region = await page.evaluateHandle(() => {
    const scrollers = [...document.querySelectorAll('*')].filter((node) => /auto|scroll/.test(getComputedStyle(node).overflowY));
    return scrollers.sort((a, b) => b.scrollHeight - a.scrollHeight)[0] ?? document.scrollingElement;
  });
  const [height, rows] = await region.evaluate((node) => [node.scrollHeight, node.querySelectorAll('tr').length]);
  assert.ok(height > 100_000, `what scrolls is only ${height} pixels high`);
  assert.ok(rows < 500, `${rows} rows are in the page at a time`);
  await region.evaluate((node) => node.scrollIntoView({ block: 'center' }));
  const box = await region.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  const scrolled = await frames(page, async () => {
    for (let turn = 0; turn < 120; turn++) {
      await page.mouse.wheel({ deltaY: turn % 10 === 9 ? 30_000 : 700 });
      await new Promise((done) => setTimeout(done, 16));
    }
  });
  console.log(`scroll: ${told(scrolled)}`);
  const words = await page.$('input[type="search"], form input[name="text"]');
  assert.ok(words, 'there is no field to filter by');
  const heights = new Set();
  const filtered = await frames(page, async () => {
    for (const text of ['7 of 4', 'group 12', 'no such name', '0']) {
      await words.focus();
      for (const letter of text) {
        await page.keyboard.sendCharacter(letter);
        await new Promise((done) => setTimeout(done, 40));
        heights.add(await region.evaluate((node) => node.scrollHeight));
      }
      for (let turn = 0; turn < text.length; turn++) {
        await page.keyboard.press('Backspace');
        await new Promise((done) => setTimeout(done, 40));
      }
    }
  });
  console.log(`filter: ${told(filtered)}`);
  assert.ok(heights.size > 3, 'the filter leaves the rows as they are');
  assert.ok(scrolled.p95 < MOST_MS, `scroll: ${told(scrolled)}`);
  assert.ok(filtered.p95 < MOST_MS, `filter: ${told(filtered)}`);
  await none(report);
}
