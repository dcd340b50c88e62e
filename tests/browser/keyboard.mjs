// The keyboard alone: every control is reached by Tab in the order of the page, is seen to have the focus, and does something.

import { settled } from './browser.mjs';
import { changes, controls, described, kindOf } from './controls.mjs';

// Walk by Tab through all controls and back; faults are controls that are not reached, in another order, without a sign of
// the focus, or covered.
export async function walked(page, start) {
  const faults = [];
  const list = await controls(page);
  const order = await page.evaluateHandle((...nodes) => nodes, ...list);
  const where = () => page.evaluate((nodes) => {
    const node = document.activeElement;
    const style = getComputedStyle(node);
    const box = node.getBoundingClientRect();
    const x = Math.min(Math.max(box.left + box.width / 2, 0), innerWidth - 1);
    const y = Math.min(Math.max(box.top + box.height / 2, 0), innerHeight - 1);
    const hit = document.elementFromPoint(x, y);
    return {
      at: nodes.indexOf(node),
      said: `${node.tagName.toLowerCase()} #${node.id} "${(node.ariaLabel ?? node.textContent).trim().slice(0, 40)}"`,
      marked: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1) || style.boxShadow !== 'none',
      covered: !(node.contains(hit) || hit?.contains(node) || [...(node.labels ?? [])].some((label) => label.contains(hit))),
    };
  }, order);
  for (const [key, forward] of [['Tab', true], ['Shift+Tab', false]]) {
    const seen = new Set();
    let last = forward ? -1 : list.length;
    if (forward) await start();
    for (let step = 0; step < list.length + 20; step++) {
      if (!forward) await page.keyboard.down('Shift');
      await page.keyboard.press('Tab');
      if (!forward) await page.keyboard.up('Shift');
      await settled(page);
      const now = await where();
      if (now.at < 0) {
        if (seen.size >= list.length) break;
        continue; // what scrolls takes the focus without being a control
      }
      if (seen.has(now.at)) break;
      seen.add(now.at);
      if (forward ? now.at < last : now.at > last) faults.push(`${key}: ${now.said} comes out of order`);
      last = now.at;
      if (!now.marked) faults.push(`${key}: ${now.said} does not show that it has the focus`);
      if (now.covered) faults.push(`${key}: ${now.said} is covered while it has the focus`);
    }
    for (const [at, control] of list.entries()) {
      if (!seen.has(at)) faults.push(`${key}: ${await described(control)} is not reached`);
    }
  }
  await order.dispose();
  return { count: list.length, faults };
}

const USES = {
  anchor: [['Enter']],
  link: [],
  button: [['Enter'], ['Space']],
  summary: [['Enter'], ['Space']],
  checkbox: [['Space'], ['Space']],
  radio: [['ArrowDown']],
  select: [['ArrowDown'], ['ArrowUp']],
  range: [['ArrowRight', 'ArrowRight'], ['ArrowLeft']],
  text: [['1'], ['Backspace']],
  textarea: [['a'], ['Backspace']],
  widget: [['ArrowDown'], ['ArrowRight'], ['Enter'], ['+']],
};

// Use one control by its keys; the fault, if it does nothing. `opened` is called with a dialog that it opens.
export async function used(page, control, opened) {
  const kind = await kindOf(control);
  const did = { page: false, value: false };
  for (const keys of USES[kind]) {
    await control.focus();
    const change = await changes(page, control, async () => {
      for (const key of keys) await page.keyboard.press(key);
    });
    did.page ||= change.page;
    did.value ||= change.value;
    const dialog = await page.$('dialog:modal');
    if (dialog && opened) {
      const within = await opened(control);
      await page.keyboard.press('Escape');
      await settled(page);
      if (await page.$('dialog:modal')) return [...within, 'Escape does not close the dialog'];
      const back = await control.evaluate((node) => document.activeElement === node);
      return back ? within : [...within, `the focus does not return to ${await described(control)}`];
    }
    if (!(await control.evaluate((node) => node.isConnected && node.checkVisibility()))) break;
  }
  return did.page || kind === 'link' ? [] : [`${await described(control)}: its keys change nothing${did.value ? ' but its value' : ''}`];
}
