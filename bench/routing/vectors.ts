import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Encoder } from '../../src/understanding/index.js'

/** Texts at one time: few, so that a batch ends in time on a machine that is busy with other work. */
const batch = 8
const hashBytes = 16
const secondsBetweenLines = 30

/**
 * An encoder that keeps every vector in a file of `folder`, so that folds, predictors and later runs don't pay for it again, and says how far it is on standard
 * error. The file holds hashes of texts and numbers, no text. A record that was cut off by an interrupted run is left out.
 */
export function keptVectors(encoder: Encoder, folder: string): Encoder {
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `${encoder.id.replaceAll(/[^\w.-]/g, '-')}.vectors`)
  const known = existsSync(file) ? readVectors(readFileSync(file), encoder.dimensions) : new Map<string, Float32Array>()
  let made = 0
  let said = performance.now()

  function keep(text: string, vector: Float32Array): void {
    const hash = hashOf(text)
    const name = hash.toString('hex')
    if (known.has(name)) return
    known.set(name, vector)
    appendFileSync(file, Buffer.concat([hash, Buffer.from(vector.buffer, vector.byteOffset, vector.byteLength)]))
    made += 1
  }

  return {
    id: encoder.id,
    dimensions: encoder.dimensions,
    async encode(texts, signal) {
      const missing = [...new Set(texts)].filter((text) => !known.has(hashOf(text).toString('hex')))
      for (let at = 0; at < missing.length; at += batch) {
        const part = missing.slice(at, at + batch)
        const vectors = await encoder.encode(part, signal)
        part.forEach((text, index) => keep(text, vectors[index] as Float32Array))
        if (performance.now() - said > secondsBetweenLines * 1000) {
          said = performance.now()
          process.stderr.write(`${made} texts encoded, ${known.size} in ${file}\n`)
        }
      }
      return texts.map((text) => known.get(hashOf(text).toString('hex')) as Float32Array)
    },
    close: () => encoder.close(),
  }
}

function readVectors(bytes: Buffer, dimensions: number): Map<string, Float32Array> {
  const size = hashBytes + 4 * dimensions
  const known = new Map<string, Float32Array>()
  for (let at = 0; at + size <= bytes.length; at += size) {
    const name = bytes.subarray(at, at + hashBytes).toString('hex')
    known.set(name, new Float32Array(new Uint8Array(bytes.subarray(at + hashBytes, at + size)).buffer))
  }
  return known
}

function hashOf(text: string): Buffer {
  return createHash('sha256').update(text).digest().subarray(0, hashBytes)
}
