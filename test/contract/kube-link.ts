/** A TCP proxy on loopback that can be cut: open connections break off, and new ones find nobody. */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Link {
  readonly port: number;
  cut(): void;
  mend(): void;
  close(): void;
}

export async function openLink(target: { readonly host: string; readonly port: number }): Promise<Link> {
  const sockets = new Set<Socket>();
  let whole = true;
  const server = createServer((near) => {
    if (!whole) {
      near.destroy();
      return;
    }
    const far = connect(target);
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  function cut(): void {
    whole = false;
    for (const socket of sockets) socket.destroy();
  }
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    mend() {
      whole = true;
    },
    close() {
      cut();
      server.close();
    },
  };
}
