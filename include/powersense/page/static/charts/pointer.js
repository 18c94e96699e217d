// What a pointer does on a chart: point, pick, draw a range, zoom and pan.

const DRAG_PIXELS = 5;

/**
 * @param {Element} element of the chart
 * @param {object} to `instant(pixel)`, `hover(at|null)`, `pick(at)`, `select(from, to)`, `band(from|null, to)`, `zoom(factor, at)`, `pan(share)`
 */
export function watchPointer(element, to) {
  let down = null;
  const at = (event) => to.instant(event.clientX - element.getBoundingClientRect().left);
  const isDrag = (event) => down && Math.abs(event.clientX - down.x) > DRAG_PIXELS;

  element.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || at(event) === null) return;
    down = { x: event.clientX, at: at(event), isMouse: event.pointerType === "mouse" };
    if (down.isMouse) element.setPointerCapture(event.pointerId);
    else to.hover(at(event));
  });
  element.addEventListener("pointermove", (event) => {
    if (at(event) === null) return;
    to.hover(at(event));
    // A finger moves the cursor; a mouse draws the range to zoom to.
    if (down?.isMouse) to.band(isDrag(event) ? down.at : null, at(event));
  });
  element.addEventListener("pointerup", (event) => {
    if (!down) return;
    const { at: from, isMouse } = down;
    const isLong = isDrag(event);
    down = null;
    to.band(null, null);
    if (isLong && isMouse) to.select(from, at(event));
    else if (!isLong) to.pick(at(event));
  });
  element.addEventListener("pointercancel", () => {
    down = null;
    to.band(null, null);
  });
  element.addEventListener("pointerleave", () => down || to.hover(null));
  element.addEventListener("wheel", (event) => {
    // Without a key the wheel scrolls the page; two fingers sideways move in time.
    const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey;
    if (!event.ctrlKey && !isSideways) return;
    event.preventDefault();
    if (event.ctrlKey) to.zoom(Math.min(2, Math.max(0.5, 1.0025 ** event.deltaY)), at(event));
    else to.pan((event.deltaX || event.deltaY) / element.clientWidth);
  }, { passive: false });
}
