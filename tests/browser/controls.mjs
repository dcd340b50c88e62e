// The controls of a page: which there are, whether one can be seen and hit, and what using one changes.

import { settled } from './browser.mjs';

const MANY = 12;

// Handles of the controls in sight that the keyboard should reach, in the order of the document. Of many that are alike,
// such as thumbnails, a few stand for all where `few`.
export async function controls(page, { few = false } = {}) {
  const list = await page.evaluateHandle((most) => {
    const modal = [...document.querySelectorAll('dialog:modal')].at(-1) ?? document;
    const all = [...modal.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex], [contenteditable]')];
    const radios = new Set();
    const found = all.filter((node) => {
      if (node.tabIndex < 0 || node.disabled || node.type === 'hidden' || node.closest('[inert]')) return false;
      if (!node.checkVisibility({ visibilityProperty: true, opacityProperty: false })) return false;
      if (node.type !== 'radio') return true;
      const group = `${node.name} of ${node.form?.id}`;
      const checked = node.form ? [...node.form.elements].some((other) => other.name === node.name && other.checked) : false;
      if (radios.has(group) || (checked && !node.checked)) return false;
      radios.add(group);
      return true;
    });
    if (most === null) return found;
    const kinds = Map.groupBy(found, (node) => [node.tagName, node.type, node.className, node.parentElement.className].join(' '));
    return found.filter((node) => {
      const alike = [...kinds.values()].find((kind) => kind.includes(node));
      return alike.length <= most || alike.indexOf(node) < 2 || node === alike.at(-1);
    });
  }, few ? MANY : null);
  const handles = [...(await list.getProperties()).values()].map((value) => value.asElement()).filter(Boolean);
  await list.dispose();
  return handles;
}

export function described(control) {
  return control.evaluate((node) => {
    const name = node.ariaLabel || node.labels?.[0]?.textContent || node.textContent || node.name || '';
    const kind = [node.tagName.toLowerCase(), node.type, node.id && `#${node.id}`, ...node.classList].filter(Boolean).join(' ');
    return `${kind} "${name.trim().replace(/\s+/g, ' ').slice(0, 60)}"`;
  });
}

export function kindOf(control) {
  return control.evaluate((node) => {
    const tag = node.tagName.toLowerCase();
    if (tag === 'input') return ['range', 'checkbox', 'radio'].includes(node.type) ? node.type : 'text';
    if (tag === 'a') return node.getAttribute('href').startsWith('#') ? 'anchor' : 'link';
    return ['button', 'select', 'summary', 'textarea'].includes(tag) ? tag : 'widget';
  });
}

// What an action changed: `value` of a control, `page` for the document, a canvas, what is scrolled to or has the focus.
export async function changes(page, control, action) {
  const state = () => control.evaluate((node) => ({
    value: `${node.value} ${node.checked} ${node.open}`,
    page: [window.__changes, scrollX, scrollY, location.hash].join('|'),
    focus: document.activeElement === node || document.activeElement === document.body ? '' : 'elsewhere',
  }));
  await settled(page);
  const before = await state();
  await action();
  await settled(page);
  const after = await state();
  return {
    value: after.value !== before.value,
    page: after.page !== before.page || (after.focus !== before.focus && after.focus !== ''),
  };
}

// Where a finger would hit a control, once it is in sight; a text where it is covered or too small.
export async function target(control) {
  return control.evaluate((node) => {
    const shown = node.getClientRects().length ? node : node.labels?.[0] ?? node;
    shown.scrollIntoView({ block: 'center', inline: 'center', behavior: 'instant' });
    const label = [...(node.labels ?? [])].find((one) => one.checkVisibility());
    const boxes = [...shown.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
    if (!boxes.length) return 'has no box';
    const [box] = boxes;
    const x = box.left + box.width / 2;
    const y = box.top + box.height / 2;
    if (x < 0 || y < 0 || x >= innerWidth || y >= innerHeight) return `lies outside of the screen, at ${Math.round(x)}, ${Math.round(y)}`;
    const hit = document.elementFromPoint(x, y);
    if (!(shown.contains(hit) || hit?.contains(shown) || label?.contains(hit))) {
      return `is covered by ${hit?.tagName.toLowerCase()} ${hit?.id} ${hit?.className}`;
    }
    const inText = getComputedStyle(node).display === 'inline' && node.tagName === 'A';
    if (!inText && !label && Math.min(box.width, box.height) < 24) {
      return `is ${Math.round(box.width)} x ${Math.round(box.height)} pixels: less than 24 x 24`;
    }
    return { x, y };
  });
}
