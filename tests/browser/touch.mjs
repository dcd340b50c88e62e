// Fingers alone: every control can be hit, is large enough, and does something.

import { settled } from './browser.mjs';
import { changes, controls, described, kindOf, target } from './controls.mjs';

// Use one control by a finger; the faults. `opened` is called with a dialog that it opens.
export async function tapped(page, control, opened) {
  const kind = await kindOf(control);
  const said = await described(control);
  if (kind === 'anchor' && (await control.evaluate((node) => node.getBoundingClientRect().bottom <= 0))) return []; // the skip link
  const at = await target(control);
  if (typeof at === 'string') return [`${said} ${at}`];
  const ways = kind === 'widget' ? await swipes(control) : {};
  if (kind === 'widget' && !ways.left && !ways.up) return []; // it scrolls where the page is narrower; keys reach it here too
  await settled(page);
  const change = await changes(page, control, async () => {
    if (kind === 'range') return dragged(page, control);
    if (kind === 'widget') {
      if (ways.own) await pinched(page, control); // a picture that fits has nowhere to move to
      await swiped(page, control, ways);
    }
    await page.touchscreen.tap(at.x, at.y);
    if (kind === 'text' || kind === 'textarea') await page.keyboard.sendCharacter('1');
    return undefined;
  });
  if (opened && (await page.$('dialog:modal'))) return opened(control);
  if (kind === 'select') return []; // the list of choices is the system's
  return change.page || kind === 'link' ? [] : [`${said}: a tap changes nothing${change.value ? ' but its value' : ''}`];
}

// Move a finger along a slider.
async function dragged(page, control) {
  const box = await control.boundingBox();
  const y = box.y + box.height / 2;
  const touch = await page.touchscreen.touchStart(box.x + box.width * 0.5, y);
  for (let part = 0.55; part <= 0.8; part += 0.05) await touch.move(box.x + box.width * part, y);
  await touch.end();
}

// Which ways a finger moves what is in an element: the ways it scrolls, all of them where it has gestures of its own. After
// a swipe that scrolls nothing Chromium 156 tells the page of a finger that never leaves, and of no pointer any more.
function swipes(element) {
  return element.evaluate((node) => {
    const own = getComputedStyle(node).touchAction === 'none';
    return { own, left: own || node.scrollWidth > node.clientWidth, up: own || node.scrollHeight > node.clientHeight };
  });
}

// Move a finger over an element: what scrolls or can be moved goes along.
async function swiped(page, element, { left, up }) {
  const box = await element.boundingBox();
  if (!box) return; // a row that scrolling has drawn anew
  const { width, height } = page.viewport();
  const x = Math.min(box.x + box.width * 0.8, width - 10);
  const y = Math.min(box.y + box.height * 0.8, height - 10);
  for (const [dx, dy] of [...(left ? [[-1, 0]] : []), ...(up ? [[0, -1]] : [])]) {
    const touch = await page.touchscreen.touchStart(x, y);
    for (let by = 10; by <= 90; by += 20) await touch.move(x + by * dx, y + by * dy);
    await touch.end();
    await settled(page);
  }
}

// Two fingers apart, over an element.
export async function pinched(page, element) {
  const box = await element.boundingBox();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const one = await page.touchscreen.touchStart(x - 20, y);
  const other = await page.touchscreen.touchStart(x + 20, y);
  for (let by = 30; by <= 80; by += 10) {
    await one.move(x - by, y);
    await other.move(x + by, y);
  }
  await one.end();
  await other.end();
}

// What closes a dialog by a finger: a button that says so.
export async function closed(page) {
  for (const control of await controls(page)) {
    if (!/close/i.test(await described(control))) continue;
    const at = await target(control);
    if (typeof at === 'string') return [`${await described(control)} ${at}`];
    await page.touchscreen.tap(at.x, at.y);
    await settled(page);
    return (await page.$('dialog:modal')) ? ['a tap on Close does not close the dialog'] : [];
  }
  return ['no button of the dialog says that it closes it'];
}
