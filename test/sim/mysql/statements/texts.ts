/** The same few statements are run again and again: what only depends on their text is found out once. */

const TEXTS_MAX = 5_000;

export function perText<T>(make: (text: string) => T): (text: string) => T {
  const made = new Map<string, T>();
  return (text) => {
    const known = made.get(text);
    if (known !== undefined || made.has(text)) return known as T;
    if (made.size >= TEXTS_MAX) made.clear();
    const value = make(text);
    made.set(text, value);
    return value;
  };
}
