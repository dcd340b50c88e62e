// A browser that lets nothing out, and pages that write down whatever they should not do.

import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import puppeteer from 'puppeteer-core';

export const VIEWS = {
  desktop: { width: 1280, height: 900 },
  phone: { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

export function launch() {
  const root = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...root, '--disable-background-networking', '--host-resolver-rules=MAP * ~NOTFOUND', '--force-color-profile=srgb'],
    protocolTimeout: 300_000,
  });
}

export async function machine(browser) {
  const cpus = os.cpus();
  return `${await browser.version()}, ${cpus.length} x ${cpus[0].model.trim()}, load ${os.loadavg()[0].toFixed(1)}`;
}

// Runs in the page before its own scripts: counts what changes, and keeps what the policy refused.
function watch() {
  window.__violations = [];
  window.__changes = 0;
  const changed = () => { window.__changes += 1; };
  document.addEventListener('securitypolicyviolation', (event) => {
    window.__violations.push(`${event.violatedDirective} refused ${event.blockedURI || 'inline'} ${event.sample}`);
  });
  for (const name of ['scroll', 'toggle', 'close', 'hashchange']) {
    addEventListener(name, changed, { capture: true, passive: true });
  }
  for (const method of ['putImageData', 'drawImage', 'clearRect', 'fillRect', 'stroke']) {
    const own = CanvasRenderingContext2D.prototype[method];
    CanvasRenderingContext2D.prototype[method] = function counted(...given) {
      changed();
      return own.apply(this, given);
    };
  }
  const options = { subtree: true, childList: true, attributes: true, characterData: true };
  new MutationObserver(changed).observe(document, options);
}

// A page that shows a file; `faults` fills with whatever no report may do.
export async function open(browser, file, { view = VIEWS.desktop, dark = false } = {}) {
  const page = await browser.newPage();
  const address = pathToFileURL(path.resolve(file)).href;
  const faults = [];
  page.on('pageerror', (error) => faults.push(`script error: ${error.message}`));
  page.on('console', (message) => {
    if (['error', 'warn', 'assert'].includes(message.type())) faults.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on('dialog', (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on('popup', () => faults.push('a window was opened'));
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    const url = request.url();
    const own = url.split('#')[0] === address || url.startsWith('data:') || url.startsWith('blob:');
    if (!own) faults.push(`request: ${url.slice(0, 200)}`);
    return own ? request.continue() : request.abort();
  });
  await page.evaluateOnNewDocument(watch);
  await page.setViewport(view);
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' },
    { name: 'prefers-reduced-motion', value: 'reduce' }, // so that what scrolls is there at once
  ]);
  await page.goto(address, { waitUntil: 'load', timeout: 120_000 });
  await settled(page);
  return {
    page,
    async faults() {
      return [...faults, ...(await page.evaluate(() => window.__violations))];
    },
  };
}

// Two frames later: what an action set off has been drawn.
export async function settled(page) {
  await page.evaluate(() => new Promise((done) => {
    requestAnimationFrame(() => requestAnimationFrame(done));
  }));
}
