// The rules of axe, and those of a page as wide as a phone.

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

const source = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

// Serious and critical faults, a line each, with the elements; the others are only counted.
export async function axe(page, state) {
  await page.evaluate(source);
  const found = await page.evaluate(async () => {
    const { violations } = await window.axe.run(document, {
      resultTypes: ['violations'],
      rules: { 'target-size': { enabled: true } },
    });
    return violations.map(({ id, impact, help, nodes }) => ({
      id, impact, help, where: nodes.slice(0, 3).map((node) => `${node.target.join(' ')} (${node.failureSummary.split('\n').at(-1).trim()})`), count: nodes.length,
    }));
  });
  const said = ({ id, impact, help, where, count }) => `${state}: ${impact} ${id}, ${help}: ${count} at ${where.join('; ')}`;
  const grave = found.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  return { faults: grave.map(said), notes: found.filter((one) => !grave.includes(one)).map(said) };
}

// What is wider than the screen, where it moves the whole page sideways.
export function overflowing(page) {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= innerWidth) return [];
    const wide = [...document.body.querySelectorAll('*')].filter((node) => {
      if (node.getBoundingClientRect().right <= innerWidth + 1) return false;
      for (let up = node.parentElement; up; up = up.parentElement) if (getComputedStyle(up).overflowX !== 'visible') return false;
      return true;
    });
    return [`the page is ${document.documentElement.scrollWidth} pixels wide on a screen of ${innerWidth}: ${wide.slice(0, 3).map((node) => `${node.tagName.toLowerCase()} ${node.id} ${node.className}`).join(', ')}`];
  });
}

// What paper cuts off: it does not scroll.
export function cutOff(page) {
  return page.evaluate(() => [...document.body.querySelectorAll('*')].filter((node) => {
    if (!node.checkVisibility() || node.closest('svg') || node.clientWidth < 8 || node.scrollWidth <= node.clientWidth + 1) return false;
    const { overflowX, textOverflow } = getComputedStyle(node);
    return overflowX !== 'visible' && textOverflow !== 'ellipsis' && node.innerText?.trim();
  }).map((node) => `on paper ${node.scrollWidth - node.clientWidth} of ${node.scrollWidth} pixels are cut off: ${node.tagName.toLowerCase()} ${node.id} ${node.className} in ${node.closest('section')?.id}`));
}
