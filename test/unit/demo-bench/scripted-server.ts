/** A server that speaks MySQL's protocol on loopback and answers each insert as a script says. */
import type { AddressInfo, Server } from "node:net";
import { type Connection, createServer } from "mysql2";

export type Answer = "accept" | "refuse" | "hang up";

export interface ScriptedServer {
  readonly port: number;
  /** Values of the inserts, in the order they came. */
  readonly received: readonly number[];
  close(): Promise<void>;
}

/** No TLS; everybody is let in. */
const HANDSHAKE = {
  protocolVersion: 10,
  serverVersion: "9.7.4",
  connectionId: 1,
  statusFlags: 2,
  characterSet: 8,
  capabilityFlags: 0xff_f7ff,
};

export async function openScriptedServer(script: (id: number) => Answer): Promise<ScriptedServer> {
  const received: number[] = [];
  const open = new Set<Connection>();
  const protocol = createServer((side) => {
    const client = side as Connection;
    open.add(client);
    const authCallback = (_login: unknown, answer: (fault: null, refusal: null) => void) => {
      answer(null, null);
      client.sequenceId = 0;
    };
    client.serverHandshake({ ...HANDSHAKE, authCallback });
    client.on("error", () => undefined);
    client.on("query", (sql: string) => {
      const id = Number(/VALUES \((\d+),/.exec(sql)?.[1]);
      received.push(id);
      const answer = script(id);
      // Packets are counted anew with each command, which this package does on its client's side only.
      client.sequenceId = 1;
      if (answer === "accept") client.writeOk({ affectedRows: 1 });
      else if (answer === "refuse") client.writeError({ code: 1290, message: "read-only" });
      else client.destroy();
      client.sequenceId = 0;
    });
  });
  // The listener beneath, which knows the port that the system chose.
  const { _server: listener } = protocol as unknown as { readonly _server: Server };
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  return {
    port: (listener.address() as AddressInfo).port,
    received,
    async close() {
      for (const client of open) client.destroy();
      await new Promise<void>((resolve) => listener.close(() => resolve()));
    },
  };
}
