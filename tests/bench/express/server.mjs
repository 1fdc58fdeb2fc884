// The design that the gate replaced, for comparison: one Node process verifies the token and streams the file.
// Environment: NODE_ENV=production, SECRET, STREAM_ROOT, PORT. It must verify exactly what the gate verifies.
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream";

import express from "express";
import { jwtVerify } from "jose";

const { SECRET, STREAM_ROOT, PORT } = process.env;
const key = new TextEncoder().encode(SECRET);
const revoked = new Set();

async function claimsOf(request) {
  const [scheme, token] = (request.get("authorization") ?? "").split(" ");
  if (scheme !== "Bearer" || !token) return null;
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: ["HS256"], clockTolerance: 5 });
    return payload;
  } catch {
    return null;
  }
}

const app = express();
app.disable("x-powered-by");
app.get("/health", (_request, response) => response.json({ status: "ok" }));
app.get("/streams/:event/:file", async (request, response) => {
  const claims = await claimsOf(request);
  if (!claims) return response.status(401).json({ error: "Authorization required" });
  const { event, file } = request.params;
  if (!request.path.startsWith(claims.sp) || revoked.has(claims.sub) || file.startsWith(".") || event.startsWith("."))
    return response.status(403).json({ error: "Access denied" });
  const path = join(STREAM_ROOT, event, file);
  const found = await stat(path).catch(() => null);
  if (!found?.isFile()) return response.status(404).json({ error: "Not found" });
  response.set({ "Content-Type": "video/mp2t", "Content-Length": String(found.size), "Cache-Control": "private" });
  pipeline(createReadStream(path), response, () => {});
});
app.listen(Number(PORT), "127.0.0.1");
