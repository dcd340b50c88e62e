'use strict';

// A pair opened: side by side, slider, blink, and its maps as overlays. Zoom and place stay from view to view.

(() => {
  const dialog = document.getElementById('viewer');
  if (!dialog) return;
  const at = (name) => document.getElementById(`viewer-${name}`);
  const stage = at('stage');
  const panes = [...stage.querySelectorAll('.pane')].map((pane) => ({
    pane,
    under: pane.querySelector('.under'),
    over: pane.querySelector('.over'),
    canvas: pane.querySelector('canvas'),
    divider: pane.querySelector('.divider'),
    name: pane.querySelector('.pane-name'),
  }));
  const order = [...document.querySelectorAll('script[type="application/json"][data-pictures]')].map((node) => node.id);
  const NAMES = { side: 'Side by side', slider: 'Slider', blink: 'Blink' };

  let pair = null;
  let mode = 'side';
  let view = zoom.START;
  let timer = 0;
  let showsTest = false;
  let shade = { scale: 'inferno', gains: {}, opacities: {} };
  let bytes = {};
  let opener = null;

  Object.keys(colour.SCALES).forEach((name) => at('scale').append(new Option(name, name)));

  const map = () => pair.maps.find((found) => found.name === mode);
  const size = () => ({ width: pair.w, height: pair.h });
  const box = () => ({ width: panes[0].pane.clientWidth, height: panes[0].pane.clientHeight });

  function open(id, from) {
    const held = document.getElementById(id);
    if (!held) return;
    pair = JSON.parse(held.textContent);
    pair.id = id;
    bytes = {};
    if (from !== undefined) opener = from;
    if (!dialog.open) {
      view = zoom.START;
      dialog.showModal();
      stage.focus();
    }
    const views = { ...NAMES };
    pair.maps.forEach((found) => { views[found.name] = found.title; });
    if (!(mode in views)) mode = 'side';
    at('views').replaceChildren(...Object.entries(views).map(([name, title], i) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = title;
      button.title = `${title}: ${i + 1}`;
      button.dataset.view = name;
      return button;
    }));
    const names = pair.names.map((name) => {
      const node = document.createElement('bdi');
      node.textContent = name.length > 160 ? `${name.slice(0, 120)}…${name.slice(-36)}` : name;
      node.title = name;
      return node;
    });
    at('name').replaceChildren(names[0], ...(names[1] ? [' → ', names[1]] : []));
    at('scores').textContent = pair.scores;
    at('place').textContent = `${order.indexOf(id) + 1} of ${order.length}`;
    const smaller = pair.images.some((image) => image.w < pair.w) || pair.maps.some((found) => found.w < pair.w - 40);
    const coded = pair.images.some((image) => !image.exact);
    const said = [`${pair.w} × ${pair.h} pixels`];
    if (smaller) said.push(`held at ${pair.images[0].w} × ${pair.images[0].h}${pair.maps.length ? `, maps at ${pair.maps[0].w} × ${pair.maps[0].h}` : ''}`);
    if (coded) said.push('pictures are coded with losses; maps are computed from the files’ own pixels');
    at('notes').textContent = [...said, ...pair.notes].join(' · ');
    use(mode);
  }

  function use(name) {
    mode = name;
    stop();
    at('views').querySelectorAll('button').forEach((button) => {
      button.setAttribute('aria-pressed', String(button.dataset.view === mode));
    });
    const kind = map() ? 'map' : mode;
    dialog.querySelectorAll('.control').forEach((control) => {
      // an index is of a range of its own: to amplify is for differences and distances
      control.hidden = control.dataset.for !== kind || ('amplifies' in control.dataset && mode === 'ssim');
    });
    const [ref, test] = pair.images.map((image) => image.src);
    panes[1].pane.hidden = mode !== 'side';
    put(panes[0], kind === 'map' || mode === 'slider' ? test : ref, mode === 'slider' ? ref : mode === 'blink' ? test : '');
    put(panes[1], test, '');
    panes[0].canvas.hidden = kind !== 'map';
    panes[0].divider.hidden = mode !== 'slider';
    panes.forEach((pane) => { pane.name.hidden = kind === 'map'; });
    panes[0].name.textContent = mode === 'slider' ? 'Reference | Test' : 'Reference';
    panes[1].name.textContent = 'Test';
    showsTest = false;
    if (kind === 'map') prepare();
    if (mode === 'blink') flip(false);
    lay();
  }

  function put(pane, under, over) {
    for (const [node, source] of [[pane.under, under], [pane.over, over]]) {
      node.hidden = !source;
      if (source && node.src !== source) node.src = source;
    }
    pane.canvas.hidden = true;
    pane.divider.hidden = true;
  }

  // Values of the map that is shown, read once, then painted.
  function prepare() {
    const found = map();
    if (bytes[found.name]) {
      paint();
      return;
    }
    const image = new Image();
    const { id } = pair;
    image.onload = () => {
      if (pair.id !== id) return;
      const canvas = document.createElement('canvas');
      canvas.width = image.width;
      canvas.height = image.height;
      const context = canvas.getContext('2d', { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      const rgba = context.getImageData(0, 0, image.width, image.height).data;
      const values = new Uint8Array(rgba.length / 4);
      for (let i = 0; i < values.length; i++) values[i] = rgba[4 * i];
      bytes[found.name] = { values, width: image.width, height: image.height };
      if (map() === found) paint();
    };
    image.src = found.src;
  }

  function paint() {
    const found = map();
    const held = found && bytes[found.name];
    if (!held) return;
    const gain = shade.gains[found.name] ?? (found.name === 'difference' ? colour.gainFor(held.values) : 0);
    const opacity = shade.opacities[found.name] ?? (found.name === 'difference' ? 100 : 75);
    at('gain').value = gain;
    at('opacity').value = opacity;
    at('gain-said').textContent = `× ${2 ** gain}`;
    const { canvas } = panes[0];
    canvas.width = held.width;
    canvas.height = held.height;
    const context = canvas.getContext('2d');
    const image = context.createImageData(held.width, held.height);
    colour.paint(held.values, image.data, shade.scale, 2 ** gain);
    context.putImageData(image, 0, 0);
    canvas.style.opacity = opacity / 100;
    const legend = at('legend').getContext('2d');
    const bar = legend.createImageData(256, 1);
    colour.paint(Uint8Array.from({ length: 256 }, (_, i) => i), bar.data, shade.scale, 1);
    legend.putImageData(bar, 0, 0);
    const write = (value) => String(Number(value.toFixed(found.digits))).replace('-', '−');
    at('zero').textContent = write(found.zero);
    at('full').textContent = write(colour.valueOf(255 / 2 ** gain, found));
  }

  function lay() {
    if (!pair) return;
    view = zoom.kept(view, size(), box());
    const { left, top, width, height } = zoom.place(view, size(), box());
    const scale = width / pair.w;
    panes.forEach(({ under, over, canvas }) => {
      for (const node of [under, over]) set(node, left, top, width, height);
      const part = map() ? map().part : [0, 0, 1, 1];
      set(canvas, left + part[0] * width, top + part[1] * height, part[2] * width, part[3] * height);
    });
    stage.classList.toggle('crisp', scale > 1.5);
    if (mode === 'slider') {
      const x = (box().width * at('split').value) / 100;
      panes[0].over.style.clipPath = `inset(0 ${Math.min(Math.max(width - (x - left), 0), width)}px 0 0)`;
      panes[0].divider.style.left = `${x}px`;
    } else {
      panes[0].over.style.clipPath = 'none';
    }
    at('zoom-said').textContent = `${Math.round(100 * scale)} %`;
    const [least, most] = zoom.limits(size(), box());
    const near = (a, b) => Math.abs(a - b) < 1e-6;
    disable('out', view.scale <= least * (1 + 1e-6));
    disable('in', view.scale >= most * (1 - 1e-6));
    disable('fit', near(view.scale, 1));
    disable('pixels', near(scale, 1));
  }

  // A button that would do nothing; where it had the focus, the pictures have it then.
  function disable(name, is) {
    const button = dialog.querySelector(`[data-do="${name}"]`);
    if (is && button === document.activeElement) stage.focus();
    button.disabled = is;
  }

  function set(node, left, top, width, height) {
    node.style.left = `${left}px`;
    node.style.top = `${top}px`;
    node.style.width = `${width}px`;
    node.style.height = `${height}px`;
  }

  function flip(test) {
    showsTest = test;
    panes[0].over.hidden = !test;
    panes[0].name.textContent = test ? 'Test' : 'Reference';
  }

  function blink() {
    if (timer) {
      stop();
      return;
    }
    timer = setInterval(() => flip(!showsTest), 500);
    dialog.querySelector('[data-do="blink"]').setAttribute('aria-pressed', 'true');
  }

  function stop() {
    clearInterval(timer);
    timer = 0;
    dialog.querySelector('[data-do="blink"]').setAttribute('aria-pressed', 'false');
  }

  function turn(by) {
    const next = order[(order.indexOf(pair.id) + by + order.length) % order.length];
    open(next);
  }

  function zoomBy(factor, x = box().width / 2, y = box().height / 2) {
    view = zoom.about(view, size(), box(), factor, x, y);
    lay();
  }

  const ACTIONS = {
    previous: () => turn(-1),
    next: () => turn(1),
    close: () => dialog.close(),
    flip: () => { stop(); flip(!showsTest); },
    blink,
    in: () => zoomBy(1.5),
    out: () => zoomBy(1 / 1.5),
    fit: () => { view = zoom.START; lay(); },
    pixels: () => { view = { ...view, scale: 1 / zoom.fitted(size(), box()) }; lay(); },
  };

  document.addEventListener('click', (event) => {
    const opens = event.target.closest('button[data-pair]');
    if (opens) open(opens.dataset.pair, opens);
  });

  dialog.addEventListener('click', (event) => {
    const button = event.target.closest('button');
    if (!button) return;
    if (button.dataset.view) use(button.dataset.view);
    else if (button.dataset.do) ACTIONS[button.dataset.do]();
  });

  dialog.addEventListener('close', () => {
    stop();
    if (opener && opener.isConnected) opener.focus();
  });

  at('split').addEventListener('input', lay);
  at('gain').addEventListener('input', () => { shade.gains[mode] = Number(at('gain').value); paint(); });
  at('opacity').addEventListener('input', () => { shade.opacities[mode] = Number(at('opacity').value); paint(); });
  at('scale').addEventListener('change', () => { shade.scale = at('scale').value; paint(); });

  dialog.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 0.1 * Math.min(box().width, box().height);
    const views = [...at('views').children];
    const by = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }[event.key];
    const own = event.target.matches('input, select');
    if (by && !own) {
      view = zoom.moved(view, size(), box(), ...by);
      lay();
    } else if (/^[1-9]$/.test(event.key) && views[event.key - 1]) use(views[event.key - 1].dataset.view);
    else if (event.key === '+' || event.key === '=') ACTIONS.in();
    else if (event.key === '-') ACTIONS.out();
    else if (event.key === '0') ACTIONS.fit();
    else if (event.key === '[') turn(-1);
    else if (event.key === ']') turn(1);
    else if (event.key === ' ' && mode === 'blink' && !event.target.matches('button')) ACTIONS.flip();
    else return;
    event.preventDefault();
  });

  // One finger, or the mouse, moves the picture or the divider; two fingers zoom about the middle between them.
  const fingers = new Map();
  let dragsDivider = false;

  function spot(event) {
    const pane = panes.find(({ pane: node }) => !node.hidden && node.contains(event.target)) || panes[0];
    const rect = pane.pane.getBoundingClientRect();
    return { x: event.clientX - rect.left, y: event.clientY - rect.top };
  }

  stage.addEventListener('pointerdown', (event) => {
    if (event.pointerType === 'mouse' && event.button !== 0) return;
    const here = spot(event);
    fingers.set(event.pointerId, here);
    stage.setPointerCapture(event.pointerId);
    const divider = (box().width * at('split').value) / 100;
    dragsDivider = mode === 'slider' && fingers.size === 1 && (view.scale <= 1 || Math.abs(here.x - divider) < 24);
    if (dragsDivider) split(here.x);
  });

  stage.addEventListener('pointermove', (event) => {
    const here = spot(event);
    if (!fingers.has(event.pointerId)) {
      point(here);
      return;
    }
    const before = fingers.get(event.pointerId);
    if (fingers.size === 1) {
      if (dragsDivider) split(here.x);
      else view = zoom.moved(view, size(), box(), here.x - before.x, here.y - before.y);
    } else {
      const other = [...fingers].find(([id]) => id !== event.pointerId)[1];
      const apart = (a) => Math.max(10, Math.hypot(a.x - other.x, a.y - other.y));
      const middle = { x: (here.x + other.x) / 2, y: (here.y + other.y) / 2 };
      view = zoom.about(view, size(), box(), apart(here) / apart(before), middle.x, middle.y);
      view = zoom.moved(view, size(), box(), (here.x - before.x) / 2, (here.y - before.y) / 2);
    }
    fingers.set(event.pointerId, here);
    lay();
  });

  for (const end of ['pointerup', 'pointercancel']) {
    stage.addEventListener(end, (event) => fingers.delete(event.pointerId));
  }

  function split(x) {
    at('split').value = (100 * x) / box().width;
    lay();
  }

  // Where the pointer is in the picture, and what the map has there.
  function point({ x, y }) {
    if (!pair) return;
    const { left, top, width, height } = zoom.place(view, size(), box());
    const u = (x - left) / width;
    const v = (y - top) / height;
    if (u < 0 || v < 0 || u >= 1 || v >= 1) {
      at('point').textContent = '';
      return;
    }
    let text = `x ${Math.floor(u * pair.w)}, y ${Math.floor(v * pair.h)}`;
    const found = map();
    const held = found && bytes[found.name];
    if (held) {
      const [px, py] = [(u - found.part[0]) / found.part[2], (v - found.part[1]) / found.part[3]];
      if (px >= 0 && py >= 0 && px < 1 && py < 1) {
        const byte = held.values[Math.floor(py * held.height) * held.width + Math.floor(px * held.width)];
        text += `: ${colour.valueOf(byte, found).toFixed(found.digits)}`;
      }
    }
    at('point').textContent = text;
  }

  stage.addEventListener('wheel', (event) => {
    event.preventDefault();
    const { x, y } = spot(event);
    zoomBy(Math.exp(-event.deltaY / 400), x, y);
  }, { passive: false });

  stage.addEventListener('dblclick', (event) => {
    const { x, y } = spot(event);
    if (view.scale > 1) ACTIONS.fit();
    else zoomBy(Math.max(2, 1 / zoom.fitted(size(), box())), x, y);
  });

  addEventListener('resize', () => { if (dialog.open) lay(); });
})();
