// From values to places on a chart, and paths through them.

/** Return the function that takes `[from, to]` to `[start, end]`, with its inverse as `back`. */
export function scale(from, to, start, end) {
  const ratio = (end - start) / (to - from || 1);
  const place = (value) => start + (value - from) * ratio;
  place.back = (pixel) => from + (pixel - start) / ratio;
  return place;
}

/** Return round values between two, about `most` of them; nought is never a negative one. */
export function roundTicks(low, high, most) {
  const rough = (high - low || 1) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) ticks.push(Math.round(value / step) * step + 0);
  return ticks;
}

const near = (pixel) => Math.round(pixel * 10) / 10;

/**
 * Return the path of a line through points; it breaks where there is a gap.
 * @param {Array} points in order of `at`
 * @param {function} x place of an instant
 * @param {function} y place of a point
 * @param {number} gap milliseconds from which neighbours are not joined
 */
export function linePath(points, x, y, gap) {
  let path = "";
  for (const run of runs(points, gap)) {
    path += run.map((point, index) => `${index ? "L" : "M"}${near(x(point.at))} ${near(y(point))}`).join("");
    // A value that stands alone is seen as a dot.
    if (run.length === 1) path += "h0.1";
  }
  return path;
}

/** Return the path around the area between two values of each point. */
export function bandPath(points, x, low, high, gap) {
  let path = "";
  for (const run of runs(points, gap)) {
    if (run.length === 1) continue;
    const there = run.map((point) => `${near(x(point.at))} ${near(high(point))}`);
    const back = run.map((point) => `${near(x(point.at))} ${near(low(point))}`).reverse();
    path += `M${there.join("L")}L${back.join("L")}Z`;
  }
  return path;
}

/** Return dots: a line of round ends and no length at each place. */
export function dotsPath(points, x, y) {
  return points.map((point) => `M${near(x(point.at))} ${near(y(point))}h0.1`).join("");
}

/** Return the point nearest to an instant, or null where none is within `reach`. */
export function nearest(points, at, reach) {
  let low = 0;
  let high = points.length - 1;
  if (high < 0) return null;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (points[middle].at < at) low = middle + 1;
    else high = middle;
  }
  const before = points[low - 1];
  const found = before && at - before.at < points[low].at - at ? before : points[low];
  return Math.abs(found.at - at) <= reach ? found : null;
}

/** Return the usual distance of neighbours: the least one. */
export function spacing(points, least) {
  let found = Infinity;
  for (let index = 1; index < points.length; index += 1) found = Math.min(found, points[index].at - points[index - 1].at);
  return Number.isFinite(found) ? Math.max(found, least) : least;
}

function runs(points, gap) {
  const found = [];
  for (const point of points) {
    const run = found.at(-1);
    if (run && point.at - run.at(-1).at <= gap) run.push(point);
    else found.push([point]);
  }
  return found;
}
