import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import type { Operation } from "./fidelity/operations.ts";
import { Side, type State } from "./fidelity/side.ts";
import { openRealSubject, openSimSubject } from "./server-subjects.ts";

const kubeconfig = process.env["ORDINAL_TEST_KUBECONFIG"] ?? "";
const scripts: (readonly (Operation | { kind: "sql"; on: number; sql: string; ms?: number })[])[] =
  JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
function differences(model: State, reality: State): readonly string[] {
  return [...new Set([...Object.keys(model), ...Object.keys(reality)])]
    .filter((about) => model[about] !== reality[about])
    .map((about) => `  ${about}: model ${model[about] ?? "nothing"}, real ${reality[about] ?? "nothing"}`);
}
for (const [n, script] of scripts.entries()) {
  if (process.argv[3] !== undefined && n !== Number(process.argv[3])) continue;
  console.log(`##### script ${n}`);
  const simulated = new Side(await openSimSubject());
  const real = new Side(await openRealSubject(kubeconfig));
  await Promise.all([simulated.begin(), real.begin()]);
  for (const operation of script) {
    if (operation.kind === "sql") {
      const server = await real.subject.connect(operation.on);
      const done = await server.query(operation.sql, [], { timeoutMs: operation.ms ?? 20000 });
      console.log("SQL", operation.on, operation.sql, JSON.stringify(done.ok ? done.value : done.failure));
      await server.close();
      continue;
    }
    const a = await simulated.carryOut(operation);
    const at = performance.now();
    const b = await real.carryOut(operation).catch(async (e: Error) => {
      console.log("  real:", e.message);
      await real.subject.signal(operation.on, "SIGKILL");
      return "THREW";
    });
    const ms = Math.round(performance.now() - at);
    await simulated.subject.run(() => simulated.subject.sleep(15_000));
    const model = (await simulated.look()).state;
    let found: readonly string[] = [];
    const endsAt = performance.now() + 12_000;
    for (;;) {
      const reality = (await real.look()).state;
      found = differences(model, reality);
      if (found.length === 0 || performance.now() > endsAt) break;
      await sleep(200);
    }
    console.log(JSON.stringify(operation), `model ${a}, real ${b} (${ms} ms)${a === b ? "" : " <<<<"}`);
    for (const line of found) console.log(line);
  }
  await real.subject.close();
}
process.exit(0);
