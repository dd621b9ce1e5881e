/** Which images the servers of a version can go on with, by the manual's upgrade and downgrade paths. */
import { expect, test } from "vitest";
import { refusesImage } from "../../../shared/engines/mysql/upgrade.ts";

test.each([
  ["9.7.4", "mysql:9.7.4"],
  ["9.7.4", "mysql:9.7"],
  ["9.7.4", "mysql:9"],
  ["9.7.4", "mysql:latest"],
  ["9.7.4", "mysql@sha256:8412"],
  ["9.7.4-debug", "registry.example:5000/db/mysql:9.7.5-oracle"],
  ["9.7.4", "registry.example:5000/db/mysql"],
  ["8.0.45", "mysql:8.4.0"],
  ["8.4.3", "mysql:9.7.4"],
  ["9.1.0", "mysql:9.7.4@sha256:1.2"],
  ["9.7.4", "mysql:10.0.1"],
])("%s goes on with %s", (version, image) => {
  expect(refusesImage(version, image)).toBeNull();
});

test.each([
  ["9.7.4", "mysql:9.7.3", "mysql:9.7.3 is older than the servers, which are MySQL 9.7.4"],
  ["9.7.4", "mysql:8.4", "mysql:8.4 is older"],
  ["9.7.4", "registry.example:5000/mysql:9.6.0-oracle@sha256:99", "mysql:9.6.0-oracle is older"],
  ["8.0.45", "mysql:9.7.4", "leaves out 8.4; go there first"],
  ["8.4.3", "mysql:10.1.0", "leaves out the long-term release of 9; go there first"],
])("%s does not go on with %s", (version, image, why) => {
  expect(refusesImage(version, image)).toContain(why);
});
