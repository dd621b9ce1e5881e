/** Nothing but the expected form ever becomes part of a statement. */
import { expect, test } from "vitest";
import {
  accountLiteral,
  countLiteral,
  hostLiteral,
  passwordLiteral,
  portLiteral,
} from "../../../shared/engines/mysql/text.ts";

test("what is expected passes", () => {
  expect(hostLiteral("mysql-0.mysql.shop.svc")).toBe("'mysql-0.mysql.shop.svc'");
  expect(hostLiteral("10.0.0.1")).toBe("'10.0.0.1'");
  expect(portLiteral(3306)).toBe("3306");
  expect(accountLiteral("ordinal_repl_0")).toBe("'ordinal_repl_0'@'%'");
  expect(passwordLiteral("a1B2".repeat(8))).toBe(`'${"a1B2".repeat(8)}'`);
  expect(countLiteral(2)).toBe("2");
});

test.each([
  "",
  "a'b",
  "a b",
  "-a",
  "a-",
  "a..b",
  "A",
  `${"a".repeat(64)}`,
  `${"a.".repeat(127)}a`,
  "a\n",
  "a;b",
])("host %j", (host) => {
  expect(() => hostLiteral(host)).toThrow("not a host name");
});

test.each([0, -1, 65_536, 1.5, Number.NaN])("port %d", (port) => {
  expect(() => portLiteral(port)).toThrow("not a port");
});

test.each(["", "root'", "Root", "a@b", "a".repeat(33), "a\\"])("account %j", (name) => {
  expect(() => accountLiteral(name)).toThrow("not an account of ours");
});

test.each(["", "short", `${"a".repeat(20)}'`, `${"a".repeat(20)}\\`, "a".repeat(65), `${"a".repeat(20)}\n`])(
  "password %#, and the message does not show it",
  (password) => {
    expect(() => passwordLiteral(password)).toThrow("a password outside of the agreed alphabet");
  },
);

test.each([-1, 0.5, 70_000])("count %d", (count) => {
  expect(() => countLiteral(count)).toThrow("not a count");
});
