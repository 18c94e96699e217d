"""What makes a view legible and usable, asked of the browser that shows it."""

from __future__ import annotations

from playwright.sync_api import Page

# Contrast of each visible text with what it stands on, WCAG 2.2: 4.5, or 3 for large text; returns those below.
FAINT = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const over = (top, under) => top.slice(0, 3).map((c, i) => c * top[3] / 255 + under[i] * (1 - top[3] / 255));
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(rgba(getComputedStyle(e).backgroundColor));
    return layers.reverse().reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest('noscript, script, :disabled')) continue;
    const style = getComputedStyle(element);
    const svg = element instanceof SVGElement;
    const under = ground(element);
    const [a, b] = [light(over(rgba(svg ? style.fill : style.color), under)), light(under)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (isLarge ? 3 : 4.5)) faint.push(`${text}: ${ratio.toFixed(2)}`);
  }
  return faint;
}"""

# Elements that stick out of the screen to the right, and tables whose last column is out of sight.
WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const isCut = (e) => e.closest('.table, .tabs, .views, .heat-scroll, pre, textarea, thead, .brand, .skip, summary')
    || e.closest('.load-chart, .range-brush');
  return [...document.querySelectorAll('body *')]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > width + 1 && !isCut(e))
    .map((e) => `${e.tagName}.${e.className} ${Math.round(e.getBoundingClientRect().right)}`)
    .concat([...document.querySelectorAll('.table:not(.compact)')].filter((e) => e.scrollWidth > e.clientWidth + 1)
      .map((e) => `a table of ${e.scrollWidth} in ${e.clientWidth}`))
    .concat(document.documentElement.scrollWidth > width ? ['the page itself'] : []);
}"""

# Elements that take the focus by Tab; of a group of radio buttons one does.
_STOPS = ("a", "button:enabled", "input:not([type=radio])", "select", "textarea", "[tabindex='0']")


def keys_needed(page: Page) -> list[str]:
    """Walk through a freshly opened view by Tab; return what is never reached, or has no outline when it is."""
    stops = page.locator(", ".join(f"{stop}:visible" for stop in _STOPS))
    unseen: list[str] = []
    for _ in range(stops.count() + 10):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            """() => {
              const e = document.activeElement;
              e.dataset.tabbed = '';
              return [`${e.tagName} ${e.textContent.slice(0, 60)}`, getComputedStyle(e).outlineStyle];
            }"""
        )
        if name.startswith("BODY"):
            break
        if outline == "none":
            unseen.append(name)
    missed: list[str] = stops.evaluate_all(
        "found => found.filter((e) => !('tabbed' in e.dataset)).map((e) => e.outerHTML.slice(0, 120))"
    )
    return unseen + missed
