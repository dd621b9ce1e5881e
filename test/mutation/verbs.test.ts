/**
 * The contract of the verbs on simulated servers, as one test: Stryker runs only those tests that reach a mutant,
 * and a case of the contract means nothing without those before it.
 */
import { expect, test } from "vitest";
import { CHAPTERS, Story } from "../contract/server-cases.ts";
import { openSimSubject } from "../contract/server-subjects.ts";

test("every verb does what its contract says", async () => {
  const story = new Story();
  story.subject = await openSimSubject();
  const works: (() => Promise<void>)[] = [];
  for (const [, cases] of CHAPTERS) cases(story, (_, work) => works.push(work));
  expect(works).not.toEqual([]);
  for (const work of works) await story.subject.run(work);
  await story.subject.close();
});
