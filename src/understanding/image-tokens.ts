import type { ImagePart } from '../protocol/index.js'
import { modelFamily } from './model-family.js'

/**
 * Tokens of an image, by the rules that the providers document. A picture's size is read from the first bytes of its data;
 * where it can't be (a URL, a file id, an unknown kind) the largest figure of the rule is taken.
 */

interface Size {
  readonly width: number
  readonly height: number
}

/** Largest figure of any common model; `gpt-4o-mini` alone counts an image at up to 48,169. */
const mostOrdinary = 5000
const mostOfMini = 2833 + 8 * 5667

/** An upper bound without a look at the image. */
export function mostImageTokens(model: string): number {
  return model.includes('4o-mini') ? mostOfMini : mostOrdinary
}

export function imageTokens(part: ImagePart, model: string): number {
  const size = part.source.kind === 'base64' ? imageSize(part.source.data) : undefined
  const name = model.slice(model.lastIndexOf('/') + 1).toLowerCase()
  switch (modelFamily(model)) {
    case 'claude':
      return claude(size, name)
    case 'gemini':
      // 258 a tile; the largest pictures are cut into about a dozen.
      return size === undefined ? 12 * 258 : gemini(size)
    case 'openai':
      return openai(size, part.detail === 'low', name)
    case 'llama':
    case 'qwen':
    case 'deepseek':
    case 'mistral':
    case 'other':
      // No common rule: a patch of 28 × 28 pixels, as most open models have, up to a 1,280-pixel square.
      return size === undefined ? 2100 : Math.min(2100, patches(size, 28))
  }
}

/** https://docs.claude.com/en/docs/build-with-claude/vision: width × height / 750 after scaling down to 1,568 pixels a side (2,576 since Opus 4.7). */
function claude(size: Size | undefined, name: string): number {
  const sharp = /(?:opus|sonnet|haiku)-(?:4-[7-9]|[5-9])/.test(name)
  const most = sharp ? 4784 : 1600
  if (size === undefined) return most
  const { width, height } = fitted(size, sharp ? 2576 : 1568)
  return Math.min(most, Math.ceil((width * height) / 750) + 4)
}

/** https://ai.google.dev/gemini-api/docs/tokens: 258 for a small picture, else 258 for each tile of a side of 2/3 of the shorter one, 256 to 768 pixels. */
function gemini(size: Size): number {
  if (size.width <= 384 && size.height <= 384) return 258
  const unit = Math.min(768, Math.max(256, Math.floor(Math.min(size.width, size.height) / 1.5)))
  return 258 * Math.ceil(size.width / unit) * Math.ceil(size.height / unit)
}

/** https://platform.openai.com/docs/guides/images-vision#calculating-costs: tiles of 512 pixels, or patches of 32, by the model. */
function openai(size: Size | undefined, low: boolean, name: string): number {
  const [base, tile] = name.includes('4o-mini') ? [2833, 5667] : /^(?:o1|o3)/.test(name) ? [75, 150] : [85, 170]
  if (/^(?:gpt-4\.1-(?:mini|nano)|gpt-5|gpt-[6-9]|o4)/.test(name)) {
    const most = Math.ceil(1536 * 2.46)
    return size === undefined ? most : Math.min(most, Math.ceil(Math.min(1536, patches(size, 32)) * 2.46))
  }
  if (low) return base
  if (size === undefined) return base + 8 * tile
  const inside = fitted(size, 2048)
  const scale = Math.min(1, 768 / Math.min(inside.width, inside.height))
  return base + tile * Math.ceil((inside.width * scale) / 512) * Math.ceil((inside.height * scale) / 512)
}

function fitted({ width, height }: Size, side: number): Size {
  const scale = Math.min(1, side / Math.max(width, height))
  return { width: width * scale, height: height * scale }
}

function patches({ width, height }: Size, side: number): number {
  return Math.ceil(width / side) * Math.ceil(height / side)
}

/** Base64 characters that are looked at: the size stands near the beginning, after at most a thumbnail. */
const headCharacters = 128 * 1024

/** Width and height in pixels of a PNG, GIF, WebP or JPEG, from its first bytes; `undefined` when they don't tell. */
export function imageSize(base64: string): Size | undefined {
  const start = Buffer.from(base64.slice(0, 64), 'base64')
  if (start.length < 24) return undefined
  if (start.readUInt32BE(0) === 0x89504e47) return size(start.readUInt32BE(16), start.readUInt32BE(20))
  const magic = start.toString('latin1', 0, 4)
  if (magic === 'GIF8') return size(start.readUInt16LE(6), start.readUInt16LE(8))
  if (magic === 'RIFF' && start.toString('latin1', 8, 12) === 'WEBP') return webpSize(start)
  if (start.readUInt16BE(0) === 0xffd8) return jpegSize(Buffer.from(base64.slice(0, headCharacters), 'base64'))
  return undefined
}

function size(width: number, height: number): Size | undefined {
  return width > 0 && height > 0 ? { width, height } : undefined
}

function webpSize(start: Buffer): Size | undefined {
  if (start.length < 30) return undefined
  switch (start.toString('latin1', 12, 16)) {
    case 'VP8 ':
      return size(start.readUInt16LE(26) & 0x3fff, start.readUInt16LE(28) & 0x3fff)
    case 'VP8L': {
      const bits = start.readUInt32LE(21)
      return size((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1)
    }
    case 'VP8X':
      return size(start.readUIntLE(24, 3) + 1, start.readUIntLE(27, 3) + 1)
    default:
      return undefined
  }
}

/** Walks the segments up to the frame header (SOF), which holds the size. */
function jpegSize(head: Buffer): Size | undefined {
  let at = 2
  while (at + 9 <= head.length) {
    if (head[at] !== 0xff) return undefined
    const marker = head[at + 1] ?? 0
    if (marker === 0xff) {
      at++
      continue
    }
    if (marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc)
      return size(head.readUInt16BE(at + 7), head.readUInt16BE(at + 5))
    at += 2 + head.readUInt16BE(at + 2)
  }
  return undefined
}
