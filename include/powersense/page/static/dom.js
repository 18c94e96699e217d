// Builds elements. Everything from outside becomes a text node or an attribute value, never markup.

/**
 * Return an element.
 * @param {string} name of the element
 * @param {object} attributes `on…` are listeners, `null` and `false` are left out, `true` stands without a value
 * @param {...(Node|string|number|null|Array)} children texts and elements; null is left out
 */
export function h(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

function build(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** Return an element of SVG, built as `h` builds. Colours come from classes: the page's policy lets no `style` in. */
export function svg(name, attributes = {}, ...children) {
  return build(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

/** Replace what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/**
 * Bring an element's children in line with items: what has not changed stays as it is, with its focus and selection.
 * @param {Element} parent whose children are the items'
 * @param {Array} items in their order
 * @param {function} keyOf returns an item's unique key
 * @param {function} make returns an item's element
 */
export function reconcile(parent, items, keyOf, make) {
  const focused = document.activeElement?.closest("[data-focus]")?.dataset.focus;
  const hadFocus = parent.contains(document.activeElement);
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const key = String(keyOf(item));
    const content = JSON.stringify(item) + document.documentElement.lang;
    const before = old.get(key);
    if (before?.shownContent === content) return before;
    const element = make(item);
    element.dataset.key = key;
    element.shownContent = content;
    return element;
  });
  if (wanted.length !== parent.children.length || wanted.some((element, index) => element !== parent.children[index])) {
    parent.replaceChildren(...wanted);
  }
  if (hadFocus && !parent.contains(document.activeElement) && focused) {
    parent.querySelector(`[data-focus="${CSS.escape(focused)}"]`)?.focus();
  }
}
