// From values to places on a chart, and the values that axes name.

/** Return the function that takes a domain to a range of pixels. */
export function linear([from, to], [start, end]) {
  const ratio = (end - start) / (to - from || 1);
  return (value) => start + (value - from) * ratio;
}

/** Return round values between two, about `count` of them. */
export function ticks(low, high, count) {
  const rough = (high - low || 1) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) found.push(Math.round(value / step) * step + 0);
  return found;
}
