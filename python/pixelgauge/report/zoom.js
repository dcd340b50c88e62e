'use strict';

// Where a picture lies in a box of the page. A view is a scale, 1 where the whole picture fits, and the point of the
// picture, in parts of its width and height, that stands in the middle: the same view is the same part of any picture.

const zoom = (() => {
  const START = { scale: 1, x: 0.5, y: 0.5 };
  const MOST_PIXELS = 32; // of the page for one of the picture

  // Pixels of the page for one of the picture at scale 1; small pictures are not blown up beyond 8.
  function fitted(size, box) {
    return Math.max(1e-6, Math.min(box.width / size.width, box.height / size.height, 8));
  }

  function place(view, size, box) {
    const k = fitted(size, box) * view.scale;
    const width = size.width * k;
    const height = size.height * k;
    return { left: box.width / 2 - view.x * width, top: box.height / 2 - view.y * height, width, height };
  }

  // Least and most scale: from the whole picture, or one pixel for one, whichever is smaller.
  function limits(size, box) {
    const k = fitted(size, box);
    return [Math.min(1, 1 / k), Math.max(1, MOST_PIXELS / k)];
  }

  // The nearest view that leaves no more of the box empty than it must.
  function kept(view, size, box) {
    const [least, most] = limits(size, box);
    const scale = Math.min(Math.max(view.scale, least), most);
    const k = fitted(size, box) * scale;
    const inside = (part, whole, room) => {
      const half = room / (2 * whole);
      return half >= 0.5 ? 0.5 : Math.min(Math.max(part, half), 1 - half);
    };
    return { scale, x: inside(view.x, size.width * k, box.width), y: inside(view.y, size.height * k, box.height) };
  }

  function moved(view, size, box, dx, dy) {
    const { width, height } = place(view, size, box);
    return kept({ scale: view.scale, x: view.x - dx / width, y: view.y - dy / height }, size, box);
  }

  // Zooms by a factor; the point of the picture at (px, py) of the box stays there.
  function about(view, size, box, factor, px, py) {
    const before = place(view, size, box);
    const scale = kept({ ...view, scale: view.scale * factor }, size, box).scale;
    const k = fitted(size, box) * scale;
    const x = (px - before.left) / before.width;
    const y = (py - before.top) / before.height;
    const next = {
      scale,
      x: x + (box.width / 2 - px) / (size.width * k),
      y: y + (box.height / 2 - py) / (size.height * k),
    };
    return kept(next, size, box);
  }

  return { START, fitted, limits, place, kept, moved, about };
})();

if (typeof module === 'object') module.exports = zoom;
