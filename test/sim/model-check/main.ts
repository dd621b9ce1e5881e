/**
 * One run of the model in a process of its own: `node test/sim/model-check/main.ts '{"epochs": 2}'` prints its result
 * as one line of JSON. The test runs it so because a test runner's rewritten imports make the search five times slower.
 */
import type { ModelCheckOptions } from "./index.ts";
import { modelCheck } from "./index.ts";

const options = JSON.parse(process.argv[2] ?? "{}") as ModelCheckOptions;
const { taken, ...result } = modelCheck(options);
console.log(JSON.stringify({ ...result, taken: Object.fromEntries(taken) }));
