/**
 * A small shop's rows, made by a formula and not shipped: the same on every machine, with foreign keys, names
 * of many scripts, decimals, dates, and amounts spread as in real shops (a few customers and products
 * take most of the orders).
 */
import type { Connection } from "mysql2/promise";

export const SHOP_SCHEMA = "shop";
const CUSTOMERS = 6_000;
const PRODUCTS = 800;
const ORDERS = 30_000;
const BATCH_ROWS = 2_000;

const TABLES = [
  `CREATE TABLE customers (
    id INT PRIMARY KEY, name VARCHAR(80) NOT NULL, email VARCHAR(120) NOT NULL UNIQUE,
    country CHAR(2) NOT NULL, since DATE NOT NULL, KEY by_country (country))`,
  `CREATE TABLE products (
    id INT PRIMARY KEY, title VARCHAR(120) NOT NULL, price DECIMAL(10, 2) NOT NULL, stock INT NOT NULL)`,
  `CREATE TABLE orders (
    id INT PRIMARY KEY, customer_id INT NOT NULL, at DATETIME(3) NOT NULL,
    status ENUM('new', 'paid', 'sent', 'returned') NOT NULL, KEY by_time (at),
    FOREIGN KEY (customer_id) REFERENCES customers (id))`,
  `CREATE TABLE order_lines (
    order_id INT NOT NULL, line SMALLINT NOT NULL, product_id INT NOT NULL, quantity INT NOT NULL,
    price DECIMAL(10, 2) NOT NULL, PRIMARY KEY (order_id, line),
    FOREIGN KEY (order_id) REFERENCES orders (id), FOREIGN KEY (product_id) REFERENCES products (id))`,
] as const;

const GIVEN = [
  "Ada",
  "Chinua",
  "Grace",
  "Jürgen",
  "Łucja",
  "Nguyễn",
  "Σοφία",
  "Олена",
  "さくら",
  "محمد",
  "José",
];
const FAMILY = ["Okafor", "Müller", "Nowak", "Trần", "Παππά", "Коваль", "田中", "الحسن", "García", "O’Neill"];
const THINGS = ["Kettle", "Löffel", "Tasse ☕", "Lamp 💡", "Notizbuch", "Blue Chair", "Кружка", "傘", "Pan"];
const COUNTRIES = ["DE", "PL", "NG", "VN", "GR", "UA", "JP", "EG", "ES", "IE"];
const STATUSES = ["sent", "sent", "sent", "paid", "paid", "new", "returned"];

/** A linear congruential generator with the constants of Numerical Recipes: numbers in [0, 1). */
function chanceFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

type Row = readonly (string | number)[];

/** Small numbers are much more frequent than large ones. */
function skewed(chance: () => number, count: number): number {
  return 1 + Math.floor(count * chance() ** 3);
}

function pick<T>(chance: () => number, choices: readonly [T, ...T[]] | readonly T[]): T {
  const choice = choices[Math.floor(chance() * choices.length)];
  if (choice === undefined) throw new Error("nothing to choose from");
  return choice;
}

const DAY_MS = 86_400_000;
const OPENED_AT = Date.UTC(2024, 0, 1);

export interface ShopRows {
  readonly customers: readonly Row[];
  readonly products: readonly Row[];
  readonly orders: readonly Row[];
  readonly order_lines: readonly Row[];
}

export function shopRows(seed = 1): ShopRows {
  const chance = chanceFrom(seed);
  const ids = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
  const customers = ids(CUSTOMERS).map((id): Row => {
    const since = new Date(OPENED_AT + Math.floor(chance() * 600) * DAY_MS).toISOString().slice(0, 10);
    const name = `${pick(chance, GIVEN)} ${pick(chance, FAMILY)}`;
    return [id, name, `customer-${id}@example.org`, pick(chance, COUNTRIES), since];
  });
  const prices = ids(PRODUCTS).map(() => (1 + chance() ** 2 * 400).toFixed(2));
  const products = ids(PRODUCTS).map((id): Row => {
    const title = `${pick(chance, THINGS)} № ${id}`;
    return [id, title, prices[id - 1] ?? "1.00", Math.floor(chance() * 500)];
  });
  const orders: Row[] = [];
  const lines: Row[] = [];
  for (const id of ids(ORDERS)) {
    const at = new Date(OPENED_AT + 600 * DAY_MS + id * 1_733_000 + Math.floor(chance() * 999)).toISOString();
    orders.push([id, skewed(chance, CUSTOMERS), at.slice(0, 23).replace("T", " "), pick(chance, STATUSES)]);
    const count = 1 + Math.floor(chance() ** 2 * 6);
    for (let line = 1; line <= count; line += 1) {
      const product = skewed(chance, PRODUCTS);
      lines.push([id, line, product, 1 + Math.floor(chance() ** 4 * 9), prices[product - 1] ?? "1.00"]);
    }
  }
  return { customers, products, orders, order_lines: lines };
}

/** Makes the schema anew and fills it; returns how many rows it holds. */
export async function loadShop(connection: Connection, rows: ShopRows): Promise<number> {
  await connection.query(`DROP DATABASE IF EXISTS ${SHOP_SCHEMA}`);
  await connection.query(`CREATE DATABASE ${SHOP_SCHEMA} CHARACTER SET utf8mb4`);
  await connection.query(`USE ${SHOP_SCHEMA}`);
  for (const statement of TABLES) await connection.query(statement);
  let loaded = 0;
  // The tables stand in the order that their foreign keys need.
  for (const [table, all] of Object.entries(rows) as [string, readonly Row[]][]) {
    for (let from = 0; from < all.length; from += BATCH_ROWS) {
      await connection.query("INSERT INTO ?? VALUES ?", [table, all.slice(from, from + BATCH_ROWS)]);
    }
    loaded += all.length;
  }
  return loaded;
}
