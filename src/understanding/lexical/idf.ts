import { InvalidRequest } from '../../errors/index.js'
import { lexicalDimensions, lexicalIndices, type TermWeights } from './vector.js'

/** Document frequencies of n-grams: what is rare tells more. One array of `lexicalDimensions` counts (1 MB), whatever it has seen. */
export interface Idf extends TermWeights {
  /** Texts seen. */
  readonly documents: number
  /** Of the vectors that it weighs; an index under another salt is another n-gram. */
  readonly salt: number
  /** The root of ln((1 + N) / (1 + df)) + 1, with N texts of which df have an n-gram at the index. The root told pairs apart better than the whole. */
  weight(index: number): number
  /** Counts a text in. Vectors made before keep the weights of their time. Linear in the text. */
  observe(text: string): void
  /** All of it as bytes, for `loadIdf`. Holds no text, only counts by salted hash. */
  serialize(): Uint8Array
}

/** Above so many texts all counts are halved: old texts fade, and nothing overflows. */
const mostDocuments = 2 ** 30
const magic = 0x42494446
const headerBytes = 20

/** Document frequencies of the texts. Cost: linear in their characters. */
export function fitIdf(texts: Iterable<string>, { salt = 0 }: { readonly salt?: number | undefined } = {}): Idf {
  const idf = idfOf(new Uint32Array(lexicalDimensions), 0, salt)
  for (const text of texts) idf.observe(text)
  return idf
}

/** What `serialize` wrote. Throws `InvalidRequest` for any other bytes. */
export function loadIdf(bytes: Uint8Array): Idf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length < headerBytes || view.getUint32(0) !== magic)
    throw new InvalidRequest('These are no document frequencies: expected what Idf.serialize() gave.', { path: 'idf' })
  if (view.getUint32(4) !== lexicalDimensions)
    throw new InvalidRequest('These document frequencies were counted for an index space of another size. Fit them again.', { path: 'idf' })
  const documents = view.getUint32(12)
  const entries = view.getUint32(16)
  const frequencies = new Uint32Array(lexicalDimensions)
  let at = headerBytes
  let index = -1
  const next = (): number => {
    let value = 0
    for (let factor = 1; factor <= 2 ** 28; factor *= 128) {
      const byte = bytes[at++]
      if (byte === undefined) break
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
    throw damaged()
  }
  for (let entry = 0; entry < entries; entry++) {
    index += next() + 1
    const frequency = next()
    if (index >= lexicalDimensions || frequency > documents) throw damaged()
    frequencies[index] = frequency
  }
  if (at !== bytes.length) throw damaged()
  return idfOf(frequencies, documents, view.getUint32(8))
}

function damaged(): InvalidRequest {
  return new InvalidRequest('The document frequencies are damaged. Fit them again.', { path: 'idf' })
}

function idfOf(frequencies: Uint32Array, seen: number, givenSalt: number): Idf {
  const salt = givenSalt >>> 0
  let documents = seen
  /** Weights of the frequencies that most n-grams have, 0 where not yet computed for so many documents. */
  const byFrequency = new Float64Array(1024)
  const weightOf = (frequency: number) => Math.sqrt(Math.log((1 + documents) / (1 + frequency)) + 1)
  return {
    get documents() {
      return documents
    },
    salt,
    weight(index) {
      const frequency = frequencies[index] ?? 0
      const known = byFrequency[frequency]
      if (known === undefined) return weightOf(frequency)
      return known > 0 ? known : (byFrequency[frequency] = weightOf(frequency))
    },
    observe(text) {
      if (documents >= mostDocuments) {
        documents = documents >>> 1
        for (let index = 0; index < frequencies.length; index++) frequencies[index] = (frequencies[index] ?? 0) >>> 1
      }
      documents++
      byFrequency.fill(0)
      for (const index of lexicalIndices(text, salt)) frequencies[index] = (frequencies[index] ?? 0) + 1
    },
    serialize() {
      const bytes: number[] = []
      let before = -1
      let entries = 0
      const put = (value: number) => {
        for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) + 128)
        bytes.push(value)
      }
      frequencies.forEach((frequency, index) => {
        if (frequency === 0) return
        put(index - before - 1)
        put(frequency)
        before = index
        entries++
      })
      const out = new Uint8Array(headerBytes + bytes.length)
      const view = new DataView(out.buffer)
      ;[magic, lexicalDimensions, salt, documents, entries].forEach((value, at) => view.setUint32(4 * at, value))
      out.set(bytes, headerBytes)
      return out
    },
  }
}
