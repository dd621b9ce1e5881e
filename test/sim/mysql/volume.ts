/**
 * What a simulated server keeps on its disk. `data` is what CLONE copies; the rest stays with the volume:
 * identity, persisted variables, the relay log, and how the last copy into it went (facts L0, L3, L10).
 */
import { type Gtid, Gtids } from "./gtids.ts";
import { COMPILED } from "./variables.ts";

/** A change as it stands in a binary log. */
export interface Transaction {
  readonly gtid: Gtid;
  /** The number (`server_id`) of its origin at that time. */
  readonly serverId: string;
  readonly effect: (data: Data) => void;
  /** When its origin committed it, milliseconds. */
  readonly at: number;
  /** What the checks recognise: a client's row, or the term row of an epoch. */
  readonly mark: { readonly row: string } | { readonly term: number } | null;
}

export interface User {
  readonly password: string;
  readonly locked: boolean;
  readonly attribute: string | null;
  /** `PRIVILEGE ON object`; null = everything, as for root. */
  readonly grants: ReadonlySet<string> | null;
}

export interface TermRow {
  readonly clusterUid: string;
  readonly serverUuid: string;
  readonly opId: string;
  readonly opened: number;
}

export interface TailRow {
  readonly epoch: number;
  readonly serverUuid: string;
  readonly gtid: string;
  readonly digest: string;
  readonly part: number;
  /** SHA-256 of what was kept, hexadecimal. */
  readonly held: string;
}

export interface ArchiveRow {
  readonly epoch: number;
  readonly serverUuid: string;
  readonly clusterUid: string;
  readonly gtids: string;
}

export interface ChannelConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly autoPosition: boolean;
  readonly tls: boolean;
  /** Of the last server that it received from. */
  readonly sourceUuid: string;
}

export interface Data {
  readonly users: Map<string, User>;
  readonly plugins: Set<string>;
  /** `schema.table`. */
  readonly tables: Set<string>;
  readonly rows: Set<string>;
  readonly terms: Map<number, TermRow>;
  /** By primary key. */
  readonly tail: Map<string, TailRow>;
  readonly archive: Map<string, ArchiveRow>;
  executed: Gtids;
  purged: Gtids;
  /** What its logs still hold. */
  binlog: Transaction[];
  /** How many transactions its logs no longer hold: the place of the first that they do. */
  firstPlace: number;
  /** At which place the file begins that is written to now. */
  filePlace: number;
  /** MySQL keeps it in a table, so a copy brings its donor's. */
  channel: ChannelConfig | null;
}

export interface Volume {
  readonly serverUuid: string;
  readonly authority: string;
  readonly persisted: Map<string, string>;
  data: Data;
  relay: Transaction[];
  received: Gtids;
  clone: { readonly state: "In Progress" | "Completed" | "Failed"; readonly error: string } | null;
}

export interface VolumePart {
  readonly rootPassword: string;
  /** Tables with user data, `shop.orders`. */
  readonly tables?: readonly string[];
  readonly rows?: number;
}

/** As the official image leaves it: eight transactions of its own (facts L0). */
const INITIAL_TRANSACTIONS = 8;

export function freshVolume(serverUuid: string, part: VolumePart): Volume {
  const everything: User = { password: part.rootPassword, locked: false, attribute: null, grants: null };
  const data: Data = {
    users: new Map([
      ["root", everything],
      ["app", { ...everything, password: "app", grants: new Set(["INSERT ON *.*"]) }],
    ]),
    plugins: new Set(),
    tables: new Set(part.tables ?? []),
    rows: new Set(),
    terms: new Map(),
    tail: new Map(),
    archive: new Map(),
    executed: new Gtids(),
    purged: new Gtids(),
    binlog: [],
    firstPlace: 0,
    filePlace: 0,
    channel: null,
  };
  for (let number = 1; number <= INITIAL_TRANSACTIONS + (part.rows ?? 0); number += 1) {
    const row = `row-${number}`;
    const effect = (of: Data): void => void (number > INITIAL_TRANSACTIONS && of.rows.add(row));
    const transaction: Transaction = {
      gtid: { uuid: serverUuid, number },
      serverId: COMPILED["server_id"] ?? "",
      effect,
      at: 0,
      mark: null,
    };
    data.binlog.push(transaction);
    data.executed.add(transaction.gtid);
    effect(data);
  }
  return {
    serverUuid,
    authority: `CA of ${serverUuid}`,
    persisted: new Map(),
    data,
    relay: [],
    received: new Gtids(),
    clone: null,
  };
}

/** What CLONE brings: all data of the donor, in one binary log that begins after it. */
export function copyData(donor: Data): Data {
  return {
    users: new Map(donor.users),
    plugins: new Set(donor.plugins),
    tables: new Set(donor.tables),
    rows: new Set(donor.rows),
    terms: new Map(donor.terms),
    tail: new Map(donor.tail),
    archive: new Map(donor.archive),
    executed: donor.executed.copy(),
    purged: donor.executed.copy(),
    binlog: [],
    firstPlace: 0,
    filePlace: 0,
    channel: donor.channel,
  };
}

/** The same disk once more; what stands in logs is never changed and is shared. */
export function copyVolume(volume: Volume): Volume {
  const { data } = volume;
  return {
    ...volume,
    persisted: new Map(volume.persisted),
    data: {
      ...copyData(data),
      purged: data.purged.copy(),
      binlog: [...data.binlog],
      firstPlace: data.firstPlace,
      filePlace: data.filePlace,
    },
    relay: [...volume.relay],
    received: volume.received.copy(),
  };
}

/** Everything on the disk as one text, to see that nothing was touched. */
export function fingerprint(volume: Volume): string {
  const { data } = volume;
  return JSON.stringify([
    volume.serverUuid,
    [...volume.persisted],
    [...data.users].map(([name, user]) => [name, { ...user, grants: [...(user.grants ?? ["all"])] }]),
    [...data.plugins],
    [...data.tables],
    [...data.rows],
    [...data.terms],
    [...data.tail],
    [...data.archive],
    data.executed.print(),
    data.purged.print(),
    data.channel,
    volume.received.print(),
    volume.clone,
  ]);
}
