import { hash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

/** A file of the dashboard as it is sent. */
export interface PageFile {
  readonly type: string
  readonly etag: string
  readonly plain: Uint8Array<ArrayBuffer>
  readonly gzipped: Uint8Array<ArrayBuffer>
}

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/** Where `npm run build` puts the dashboard: beside the compiled program, also for a program that runs from its source. */
const folders = ['../../dashboard/', '../../../dist/dashboard/'].map((path) => fileURLToPath(new URL(path, import.meta.url)))

/** Reads all files of the dashboard; by name, `undefined` where it was not built. */
export function readPageFiles(
  folder = folders.find((one) => existsSync(join(one, 'index.html'))),
): ReadonlyMap<string, PageFile> | undefined {
  if (folder === undefined) return undefined
  const files = new Map<string, PageFile>()
  for (const name of readdirSync(folder)) {
    const type = types[extname(name)]
    if (type === undefined) continue
    const plain = new Uint8Array(readFileSync(join(folder, name)))
    files.set(name, {
      type,
      etag: `"${hash('sha256', plain, 'base64url').slice(0, 27)}"`,
      plain,
      gzipped: new Uint8Array(gzipSync(plain, { level: 9 })),
    })
  }
  return files
}

/** The page runs its own script, talks to its own gateway, and can't be framed, posted from or based elsewhere. */
export const pageHeaders: Readonly<Record<string, string>> = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  // Asked again each time, and mostly answered with 304: a new version is never mixed with an old one.
  'cache-control': 'no-cache',
}
