/**
 * What is in a store: one page of keys, and all uploads that are still open. Answers are parsed here, because
 * what is not understood of a listing must not look like something that is not there.
 */
import * as z from "zod";
import { type Outcome, succeed } from "../../model/outcome.ts";
import type { ListPage, ListWish, OpenUpload } from "../../ports/object-store.ts";
import type { Calls } from "./calls.ts";

/** The bucket's name is in every answer of a store, and in nothing that a proxy may answer in its place. */
const pageSchema = z.object({
  Name: z.string(),
  Contents: z.array(z.object({ Key: z.string(), Size: z.number(), LastModified: z.date() })).default([]),
  CommonPrefixes: z.array(z.object({ Prefix: z.string() })).default([]),
  IsTruncated: z.boolean().default(false),
  NextContinuationToken: z.string().optional(),
});

const uploadsSchema = z.object({
  Bucket: z.string(),
  Uploads: z.array(z.object({ Key: z.string(), UploadId: z.string(), Initiated: z.date() })).default([]),
  IsTruncated: z.boolean().default(false),
  NextKeyMarker: z.string().optional(),
  NextUploadIdMarker: z.string().optional(),
});

export function listPage(calls: Calls, wish: ListWish): Promise<Outcome<ListPage>> {
  const { store, limits } = calls;
  const subject = { verb: "list", key: wish.prefix } as const;
  return calls.run(subject, limits.smallCallMs, async ({ sdk, client }, options) => {
    const answer = await client.send(
      new sdk.ListObjectsV2Command({
        Bucket: store.bucket,
        Prefix: wish.prefix,
        ...(wish.shallow === true && { Delimiter: "/" }),
        ...(wish.after !== undefined && { ContinuationToken: wish.after }),
      }),
      options,
    );
    const page = understood(pageSchema, answer);
    return {
      objects: page.Contents.map(({ Key, Size, LastModified }) => ({
        key: Key,
        size: Size,
        modifiedAt: LastModified.toISOString(),
      })),
      folders: page.CommonPrefixes.map(({ Prefix }) => Prefix),
      next: page.IsTruncated ? marker(page.NextContinuationToken) : null,
    };
  });
}

export async function openUploads(calls: Calls, prefix: string): Promise<Outcome<readonly OpenUpload[]>> {
  const found: OpenUpload[] = [];
  let after: { readonly KeyMarker: string; readonly UploadIdMarker: string } | null = null;
  do {
    const page = await uploadsPage(calls, prefix, after);
    if (!page.ok) return page;
    for (const { Key, UploadId, Initiated } of page.value.Uploads) {
      // Some stores take no notice of the prefix here.
      if (Key.startsWith(prefix)) found.push({ key: Key, id: UploadId, startedAt: Initiated.toISOString() });
    }
    after = page.value.next;
  } while (after !== null);
  return succeed(found);
}

function uploadsPage(
  calls: Calls,
  prefix: string,
  after: { readonly KeyMarker: string; readonly UploadIdMarker: string } | null,
) {
  const { store, limits } = calls;
  const subject = { verb: "list", key: prefix } as const;
  return calls.run(subject, limits.smallCallMs, async ({ sdk, client }, options) => {
    const answer = await client.send(
      new sdk.ListMultipartUploadsCommand({ Bucket: store.bucket, Prefix: prefix, ...after }),
      options,
    );
    const page = understood(uploadsSchema, answer);
    const next = page.IsTruncated
      ? { KeyMarker: marker(page.NextKeyMarker), UploadIdMarker: marker(page.NextUploadIdMarker) }
      : null;
    if (
      next !== null &&
      next.KeyMarker === after?.KeyMarker &&
      next.UploadIdMarker === after.UploadIdMarker
    ) {
      throw unreadable("the same page again");
    }
    return { Uploads: page.Uploads, next };
  });
}

/** A page that says that there is more and not where would end the listing too early. */
function marker(text: string | undefined): string {
  if (text === undefined || text === "") throw unreadable("no marker of the next page");
  return text;
}

function understood<T>(schema: z.ZodType<T>, answer: unknown): T {
  const parsed = schema.safeParse(answer);
  if (!parsed.success) throw unreadable(z.prettifyError(parsed.error));
  return parsed.data;
}

function unreadable(why: string): Error {
  return Object.assign(new Error(why), { name: "UnreadableListing", $metadata: { httpStatusCode: 200 } });
}
