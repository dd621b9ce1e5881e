import { createChance } from "../sim/clock.ts";
import { draw } from "./fidelity/operations.ts";
import { Side } from "./fidelity/side.ts";
import { openSimSubject } from "./server-subjects.ts";

const seed = Number(process.argv[2]);
const count = Number(process.argv[3] ?? 200);
const chance = createChance(seed);
const simulated = new Side(await openSimSubject());
await simulated.begin();
const settle = async () => {
  await simulated.subject.run(() => simulated.subject.sleep(15_000));
  return simulated.look();
};
let { seen, state } = await settle();
for (let n = 0; n < count; n += 1) {
  const operation = draw(chance, seen, n);
  const answer = await simulated.carryOut(operation);
  const before = state;
  ({ seen, state } = await settle());
  const changed = Object.keys(state)
    .filter((k) => state[k] !== before[k])
    .map((k) => `${k}=${state[k]}`);
  console.log(n, JSON.stringify(operation), answer, "|", changed.join("; "));
}
process.exit(0);
