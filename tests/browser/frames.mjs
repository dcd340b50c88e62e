// How long frames take while rows are scrolled and filtered.

export const MOST_MS = 50;

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];

// Median, 95th percentile and longest time between frames, in milliseconds, while `action` runs.
export async function frames(page, action) {
  await page.evaluate(() => {
    const times = [];
    let last;
    let going = true;
    requestAnimationFrame(function next(now) {
      if (last !== undefined) times.push(now - last);
      last = now;
      if (going) requestAnimationFrame(next);
    });
    window.__stopped = () => {
      going = false;
      return times;
    };
  });
  await action();
  const times = await page.evaluate(() => window.__stopped());
  times.sort((a, b) => a - b);
  return { count: times.length, median: quantile(times, 0.5), p95: quantile(times, 0.95), longest: times.at(-1) };
}

export function told({ count, median: middle, p95, longest }) {
  return `${count} frames, median ${middle.toFixed(1)} ms, 95th percentile ${p95.toFixed(1)} ms, longest ${longest.toFixed(1)} ms`;
}
