/** Worlds that begin with something already set up by a person. */
import type { World } from "../world.ts";
import { startReceiver } from "./replication.ts";
import { copyData } from "./volume.ts";

export function mysqlHost(ordinal: number): string {
  return `mysql-${ordinal}.mysql.shop.svc`;
}

/** Ordinary asynchronous replication with GTIDs, as a tutorial sets it up. */
export function replicate(world: World, source: number, replicas: readonly number[]): void {
  const { data } = world.kubelet.server(source);
  const grants = new Set(["REPLICATION SLAVE ON *.*"]);
  data.users.set("repl", { password: "repl", locked: false, attribute: null, grants });
  for (const ordinal of replicas) {
    const server = world.kubelet.server(ordinal);
    server.volume.data = copyData(data);
    server.process.globals.set("server_id", String(ordinal + 1));
    server.data.channel = {
      host: mysqlHost(source),
      port: 3306,
      user: "repl",
      password: "repl",
      autoPosition: true,
      tls: false,
      sourceUuid: "",
    };
    server.startApplier();
    startReceiver(server);
  }
}
