/**
 * I9 for blobs. Production collects no orphans: the bucket's lifecycle is the owner's. What holds is
 * that whatever points at a blob finds it, and that blobs that nobody points at are few.
 */
import { TABLES } from "../../sdk/adapters/dynamodb/layout.ts";
import type { Item } from "../../sdk/testing/world/item.ts";
import type { World } from "../../sdk/testing/world/world.ts";
import { BUCKET } from "./stack.ts";

const POINTER = /\\*"blob\\*":\\*"([^"\\]+)/g;

/** The keys of the blobs that an item points at. */
export function blobsOf(item: Item): readonly string[] {
  const keys = typeof item["events_blob"] === "string" ? [item["events_blob"]] : [];
  for (const value of Object.values(item)) {
    if (typeof value !== "string" || !value.includes("blob")) continue;
    for (const [, key = ""] of value.matchAll(POINTER)) keys.push(key);
  }
  return keys;
}

/** Blobs that neither an item nor the text of a batch points at. */
export function orphans(world: World): readonly string[] {
  const found = new Set<string>();
  for (const { name } of Object.values(TABLES))
    for (const item of world.dynamo.items(name)) for (const key of blobsOf(item)) found.add(key);
  const batches = [...found].filter((key) => key.includes("/batches/"));
  for (const key of batches)
    for (const inner of blobsOf({ events: world.s3.text(BUCKET, key) ?? "" })) found.add(inner);
  return world.s3.keys(BUCKET).filter((key) => !found.has(key));
}
