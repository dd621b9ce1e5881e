/** Which of two sentences says anything new: numbers that move do not, counts and names do. */
import { expect, test } from "vitest";
import { sameNews } from "../../../shared/annotations/news.ts";

test.each([
  ["the very same", "mysql-1 is gone", "mysql-1 is gone"],
  ["seconds that pass", "mysql-1 is 3 s behind", "mysql-1 is 12 s behind"],
  ["seconds with a fraction", "waits for 0.3 s", "waits for 14 s"],
  ["a clock", "since 10:00:01", "since 12:30:59"],
  ["a list of intervals", "lacks 5-7:9,12", "lacks 5-800:1"],
  ["a percentage within its tenth", "31 % copied", "39.5 % copied"],
  ["one without a space", "31% copied", "38 % copied"],
  ["a cut end", "mysql-1 has waited for 3 s and noth…", "mysql-1 has waited for 3 s and nothing came"],
  [
    "a stored end that was cut elsewhere",
    "mysql-1 has waited for 3 s and nothing",
    "mysql-1 has waited for 12 …",
  ],
  ["an end that was cut within a number", "waits 12…", "waits 3 s"],
  ["a count of others", "mysql-1 is 3 s behind (and 2 more)", "mysql-1 is 5 s behind (and 2 more)"],
])("no news: %s", (_, stored, message) => {
  expect(sameNews(stored, message)).toBe(true);
});

test.each([
  ["another word", "mysql-1 is gone", "mysql-1 is back"],
  ["another member", "mysql-1 is 3 s behind", "mysql-2 is 3 s behind"],
  ["a member of two digits", "mysql-1 is gone", "mysql-11 is gone"],
  ["a name with a number in it", "db1-0 is gone", "db2-0 is gone"],
  ["how many", "12 of 13 are reached", "11 of 13 are reached"],
  ["of how many", "1 of 12 are reached", "1 of 13 are reached"],
  ["of the how many", "1 of the 12 are reached", "1 of the 13 are reached"],
  ["the epoch", "in epoch 11", "in epoch 12"],
  ["the next tenth", "39 % copied", "41 % copied"],
  ["more of them", "mysql-1 is gone (and 12 more)", "mysql-1 is gone (and 13 more)"],
  ["others at all", "mysql-1 is gone", "mysql-1 is gone (and 1 more)"],
  ["other words before the cut", "mysql-1 has waited and noth…", "mysql-1 was restarted and nothing came"],
  ["the end of a cut one, found elsewhere", "gone…", "mysql-1 is gone"],
])("news: %s", (_, stored, message) => {
  expect(sameNews(stored, message)).toBe(false);
  expect(sameNews(message, stored)).toBe(false);
});
