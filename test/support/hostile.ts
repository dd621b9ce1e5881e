/**
 * Values that have broken parsers, terminals, shells, routers and databases before, by what they are aimed at: the one
 * list of all tests that put them somewhere. None of them is a value that any of our grammars allows, but for those
 * that look like the name of an object: see `isName`.
 */

const KIB = 1024;

/** Written into many of them, to be searched for where it must not come. */
export const MARK = "h0stile";

type Values = Readonly<Record<string, string>>;

const SQL: Values = {
  "a closed quote": `'; DROP TABLE ${MARK}; -- `,
  "a quote after a backslash": `\\'; DROP TABLE ${MARK}; -- `,
  "a quote in half a character": `\u00bf\u0027 OR ${MARK}=1 -- `,
  "a union": `x' UNION SELECT '${MARK}' -- `,
  "a comment that runs": `/*!50000 DROP TABLE ${MARK} */`,
  "a backtick": `\`; DROP TABLE ${MARK}; -- `,
  "a number and a statement": `1; DROP TABLE ${MARK}`,
  "a host of an account": `${MARK}'@'%' IDENTIFIED BY 'x`,
  "a placeholder": `? ${MARK} :name @x`,
};

const SHELL: Values = {
  "a command in place": `$(touch ${MARK})`,
  "a command in backticks": `\`touch ${MARK}\``,
  "a second command": `; touch ${MARK}`,
  "a pipe": `| tee ${MARK}`,
  "a background command": `& touch ${MARK} &`,
  "a redirection": `> /tmp/${MARK}`,
  "an option": `--${MARK}=1`,
  "an option of one letter": `-e ${MARK}`,
  "a variable": `\${IFS}${MARK}`,
  "a new line": `x\ntouch ${MARK}`,
  "a template": `{{ ${MARK} }} \${jndi:ldap://${MARK}/}`,
  "a format": `%s%n%x ${MARK}`,
};

const PATH: Values = {
  "a parent": `../${MARK}`,
  "many parents": `../../../../etc/${MARK}`,
  "a parent in the middle": `a/../../${MARK}`,
  "escaped parents": `%2e%2e%2f${MARK}`,
  "parents escaped twice": `%252e%252e%252f${MARK}`,
  "parents with backslashes": `..\\..\\${MARK}`,
  "an absolute path": `/etc/${MARK}`,
  "two dots": "..",
  "one dot": ".",
  "a slash": "/",
  "the end of a text": `${MARK}\0.pem`,
  "another collection": `x/../../secrets/${MARK}`,
};

const URL_TEXTS: Values = {
  "a query": `x?${MARK}=1`,
  "a fragment": `x#${MARK}`,
  "another host": `http://${MARK}.example/`,
  "another host by user": `x@${MARK}.example`,
  "no scheme": `//${MARK}.example/`,
  "a file": `file:///etc/${MARK}`,
  "a script": `javascript:${MARK}()`,
  "the metadata of a cloud": `http://169.254.169.254/${MARK}`,
  "an escape that is none": `%zz${MARK}`,
  "a matrix parameter": `x;${MARK}=1`,
  "a plus": `x+${MARK}`,
};

const HEADER: Values = {
  "a header more": `x\r\nX-${MARK}: 1`,
  "a body": `x\r\n\r\n<${MARK}>`,
  "a line feed": `x\nX-${MARK}: 1`,
  "a carriage return": `x\rX-${MARK}: 1`,
  "an escaped line": `x%0d%0aX-${MARK}: 1`,
  "a line feed by its low byte": `x\u560aX-${MARK}: 1`,
  "a folded header": `x\r\n ${MARK}`,
  "another scheme": `Basic ${MARK}`,
  "two values": `${MARK}, ${MARK}`,
};

const PROTOTYPE: Values = {
  "the prototype": "__proto__",
  "a path to the prototype": `__proto__.${MARK}`,
  "the constructor's prototype": `constructor.prototype.${MARK}=1`,
  "the prototype in brackets": `__proto__[${MARK}]`,
  "an object with a prototype": `{"__proto__":{"${MARK}":1}}`,
  "an object with a constructor": `{"constructor":{"prototype":{"${MARK}":1}}}`,
  "an object with an escaped prototype": `{"\\u005f_proto__":{"${MARK}":1}}`,
  "a getter": "__defineGetter__",
  "a method of every object": "toString",
  "another method of every object": "hasOwnProperty",
};

const UNICODE: Values = {
  "right to left": `\u202e${MARK}`,
  "an isolated direction": `\u2066${MARK}\u2069`,
  "a zero width": `my\u200bsql-${MARK}`,
  "a joiner": `my\u200dsql-${MARK}`,
  "a soft hyphen": `my\u00adsql-${MARK}`,
  "a Cyrillic letter": "mуsql",
  "full width": "ｍysql",
  "an Arabic digit": "١٠s",
  "a superscript": "1²",
  "a dotless i": "ınnodb",
  "a long s": "reſume",
  "the Kelvin sign": "\u212aeep",
  "a letter and its accent": "mysq\u006c\u0301",
  "a NUL": `${MARK}\0`,
  "a byte order mark": `\ufeff${MARK}`,
  "half of a character": `\ud800${MARK}`,
  "the other half": `${MARK}\udc00`,
  "two halves in the wrong order": "\udc00\ud800",
  "a line separator": `x\u2028${MARK}`,
  "a paragraph separator": `x\u2029${MARK}`,
  "a new line of another kind": `x\u0085${MARK}`,
  "an escape sequence": `\u001b[31m${MARK}\u001b]0;x\u0007`,
  "an escape sequence of one character": `\u009b31m${MARK}`,
  "a backspace": `x\b\b\b${MARK}`,
  "a delete": `x\u007f${MARK}`,
  "a tag": `\u{e0001}\u{e0068}${MARK}`,
  "a private character": `\ue000${MARK}`,
  "no character": `\uffff${MARK}`,
  "an ideographic space": `x\u3000${MARK}`,
  "no space that breaks": `x\u00a0${MARK}`,
  "many accents": `x${"\u0301".repeat(500)}${MARK}`,
  "what bytes that are no UTF-8 become": `\ufffd\ufffd${MARK}`,
};

const NUMBER: Values = {
  "no number": "NaN",
  infinity: "Infinity",
  "minus infinity": "-Infinity",
  "beyond numbers": "1e309",
  "minus zero": "-0",
  "a negative": "-1",
  "a negative duration": "-1s",
  "a plus": "+1",
  "a fraction": "1.5",
  "almost one": "0.9999999999999999999",
  "an exponent": "1e1",
  "an exponent in a duration": "1E3s",
  hexadecimal: "0x10",
  octal: "0o17",
  "leading zeros": "007",
  "beyond 32 bits": "4294967297",
  "beyond 53 bits": "9007199254740993",
  "beyond 64 bits": "18446744073709551617",
  "many digits": "9".repeat(400),
  "a separator": "1_000",
  "a big integer": "5n",
  "a number and a space": " 5",
  "a duration too long": "999999999h",
  "an epoch of none": "e0",
};

const JSON_TEXT: Values = {
  "brackets 10,000 deep": `${"[".repeat(10_000)}${"]".repeat(10_000)}`,
  "objects 10,000 deep": `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
  "brackets that stay open": "[".repeat(10_000),
  "a key twice": `{"seq":1,"seq":2,"${MARK}":1}`,
  "a key twice, once escaped": '{"epoch":1,"\\u0065poch":2}',
  "many keys": `{${Array.from({ length: 20_000 }, (_, at) => `"k${at}":1`).join(",")}}`,
  "a list with holes": "[,,]",
  "a comment": "{}/**/",
  "two values": "{}{}",
  "a number beyond numbers": '{"epoch":1e309,"seq":-0}',
  "a lone surrogate": '{"v":"\\ud800"}',
  "an escape that is none": '{"v":"\\x"}',
  "a version that is no number": '{"v":{"valueOf":1}}',
  nothing: "null",
  "a text": '"v"',
};

const LARGE: Values = {
  "200 KiB": "x".repeat(200 * KIB),
  "200 KiB of digits": "1".repeat(200 * KIB),
  "200 KiB of quotes": '"'.repeat(200 * KIB),
  "200 KiB of backslashes": "\\".repeat(200 * KIB),
  "200 KiB of spaces": `x${" ".repeat(200 * KIB)}`,
  "200 KiB of labels": `${"a.".repeat(100 * KIB)}_`,
  "200 KiB of hyphens": `a${"-".repeat(200 * KIB)}`,
  "200 KiB of emoji": "😀".repeat(50 * KIB),
  "200 KiB of NULs": "\0".repeat(200 * KIB),
  "200 KiB of half characters": "\ud800".repeat(66 * KIB),
  "200 KiB of commas": ",".repeat(200 * KIB),
  "200 KiB of colons": `${":".repeat(200 * KIB)}`,
};

const EMPTY: Values = {
  nothing: "",
  "a space": " ",
  "a tab": "\t",
  "a line": "\n",
  "a quote": "'",
  "a double quote": '"',
  "a backslash": "\\",
  "a percent": "%",
  "a null": "NULL",
  undefined: "undefined",
  capitals: "MYSQL",
  "another case": "True",
  "a space behind": "mysql ",
};

/** Names that our grammars allow, so that whatever they name is looked for. */
const NAME: Values = {
  constructor: "constructor",
  prototype: "prototype",
  "a local host": "localhost",
  "a domain of other letters": "xn--mysql-4ve.example",
  "the longest": "a".repeat(253),
};

const CLASSES = {
  sql: SQL,
  shell: SHELL,
  path: PATH,
  url: URL_TEXTS,
  header: HEADER,
  prototype: PROTOTYPE,
  unicode: UNICODE,
  number: NUMBER,
  json: JSON_TEXT,
  large: LARGE,
  empty: EMPTY,
  name: NAME,
} as const;

export interface Hostile {
  readonly kind: keyof typeof CLASSES;
  /** What it is, for the name of a test. */
  readonly what: string;
  readonly value: string;
}

export const HOSTILE: readonly Hostile[] = Object.entries(CLASSES).flatMap(([kind, values]) =>
  Object.entries(values).map(([what, value]) => ({
    kind: kind as Hostile["kind"],
    what: `${kind}: ${what}`,
    value,
  })),
);

/** The values that no grammar of ours allows. */
export const MALFORMED: readonly string[] = HOSTILE.filter(({ kind }) => kind !== "name").map(
  ({ value }) => value,
);

/** Whether Kubernetes would take it for the name of an object, said in another way than the product says it. */
export function isName(value: string): boolean {
  const isLabel = (part: string) => /^[a-z0-9-]+$/.test(part) && !part.startsWith("-") && !part.endsWith("-");
  return value.length <= 253 && value.split(".").every(isLabel);
}

/** JSON that is no text, to be put where a body has a value. */
export const HOSTILE_JSON: Values = {
  "no number": "NaN",
  "beyond numbers": "1e309",
  "minus zero": "-0",
  "a huge number": "1e300",
  "beyond 53 bits": "9007199254740993",
  "a fraction": "1.5",
  "a negative": "-5",
  null: "null",
  true: "true",
  "a list": "[5]",
  "an empty list": "[]",
  "an empty object": "{}",
  "a prototype": '{"__proto__":{"polluted":1}}',
  "a constructor": '{"constructor":{"prototype":{"polluted":1}}}',
  "an escaped prototype": '{"\\u005f_proto__":{"polluted":1}}',
  "a key twice": '{"a":1,"a":2}',
  "something that becomes a number": '{"valueOf":5,"toString":5}',
  "brackets 10,000 deep": `${"[".repeat(10_000)}${"]".repeat(10_000)}`,
  "objects 10,000 deep": `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
};

/** What a polluted prototype would show on every object of this process. */
export function pollution(): readonly string[] {
  const everywhere: readonly object[] = [
    Object.prototype,
    Array.prototype,
    Function.prototype,
    String.prototype,
  ];
  return everywhere.flatMap((prototype) => Object.keys(prototype));
}

/** A sentence as people may see it: one printable line of bounded length. */
export function isPlainSentence(text: string, charsMax: number): boolean {
  return text.length <= charsMax && !/[\p{C}\p{Zl}\p{Zp}]/u.test(text);
}
