/**
 * Draws what a page should be over what it is: elements that are there stay, with their focus, and only what differs is
 * touched. All that is shown is text nodes and attributes: no text of anybody ever becomes markup.
 */

type Handler = (event: Event) => void;

export interface Tree {
  readonly tag: string;
  /** Among its siblings, where they may change places. */
  readonly key: string | null;
  /** False or null = it has none. */
  readonly attributes: Readonly<Record<string, string | number | boolean | null>>;
  /** By the name of the event. */
  readonly on: Readonly<Record<string, Handler>>;
  /** Custom properties of its style, which a page's policy lets a program set and a text not. */
  readonly style: Readonly<Record<string, string>>;
  readonly children: readonly Child[];
}
export type Child = Tree | string | null;

export interface Options {
  readonly key?: string;
  readonly on?: Tree["on"];
  readonly style?: Tree["style"];
}

export function h(
  tag: string,
  attributes: Tree["attributes"] = {},
  children: readonly Child[] = [],
  { key, on = {}, style = {} }: Options = {},
): Tree {
  return { tag, key: key ?? null, attributes, on, style, children };
}

/** What was drawn, by element: what to compare with, and what to call. */
const drawn = new WeakMap<Element, Tree>();

function listen(element: Element, names: readonly string[], before: Tree | undefined): void {
  const known = before === undefined ? [] : Object.keys(before.on);
  for (const name of names.filter((one) => !known.includes(one))) {
    // The handler of the last drawing is called, so that none has to be taken away.
    element.addEventListener(name, (event) => drawn.get(element)?.on[name]?.(event));
  }
}

function dress(element: Element, tree: Tree): void {
  const before = drawn.get(element);
  const names = new Set([...Object.keys(before?.attributes ?? {}), ...Object.keys(tree.attributes)]);
  for (const name of names) {
    const value = tree.attributes[name] ?? false;
    if (before !== undefined && (before.attributes[name] ?? false) === value) continue;
    if (value === false) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const [name, value] of Object.entries(tree.style)) {
    if (before?.style[name] !== value && element instanceof HTMLElement)
      element.style.setProperty(name, value);
  }
  listen(element, Object.keys(tree.on), before);
  drawn.set(element, tree);
}

function keyOf(node: Node): string | null {
  return node instanceof Element ? (drawn.get(node)?.key ?? null) : null;
}

/** The element that is to become `tree`: the one of its key, or the one in its place. */
function match(tree: Tree, at: ChildNode | null, keyed: ReadonlyMap<string, Element>): Element | null {
  const found = tree.key === null ? at : (keyed.get(tree.key) ?? null);
  if (!(found instanceof Element) || keyOf(found) !== tree.key) return null;
  return found.localName === tree.tag ? found : null;
}

function drawText(parent: Element, text: string, at: ChildNode | null): ChildNode | null {
  if (at instanceof Text) {
    if (at.data !== text) at.data = text;
    return at.nextSibling;
  }
  parent.insertBefore(document.createTextNode(text), at);
  return at;
}

function drawInto(parent: Element, children: readonly Child[]): void {
  const wanted = new Set(
    children.flatMap((child) => (child === null || typeof child === "string" ? [] : (child.key ?? []))),
  );
  const keyed = new Map<string, Element>();
  // What goes is taken away first, so that what stays need not be moved, which would cost its focus.
  for (const element of [...parent.children]) {
    const key = keyOf(element);
    if (key === null) continue;
    if (wanted.has(key)) keyed.set(key, element);
    else element.remove();
  }
  let at: ChildNode | null = parent.firstChild;
  for (const child of children) {
    if (child === null) continue;
    if (typeof child === "string") {
      at = drawText(parent, child, at);
      continue;
    }
    const known = match(child, at, keyed);
    const element = known ?? document.createElement(child.tag);
    if (element === at) at = at.nextSibling;
    else parent.insertBefore(element, at);
    dress(element, child);
    drawInto(element, child.children);
  }
  while (at !== null) {
    const next: ChildNode | null = at.nextSibling;
    at.remove();
    at = next;
  }
}

/** Focus stays where it was, as long as what had it is still there. */
export function draw(parent: Element, children: readonly Child[]): void {
  const focused = document.activeElement;
  drawInto(parent, children);
  if (focused instanceof HTMLElement && focused.isConnected && document.activeElement !== focused) {
    focused.focus({ preventScroll: true });
  }
}
