/** A rectangle on a plot, in pixels; y grows downwards. */
export interface Box {
  readonly left: number
  readonly top: number
  readonly right: number
  readonly bottom: number
}

/** A point that wants a name. */
export interface Wanted {
  readonly x: number
  readonly y: number
  readonly text: string
  /** What belongs to the point, its whiskers with it: the name stands beyond. */
  readonly own: Box
}

/** A name and where it stands. `lead`: the point is so far that a line should lead to it. */
export interface PlacedLabel extends Wanted {
  readonly box: Box
  readonly lead: boolean
}

/** Pixels of a line of text and its letters' height, at the plots' 13 pixels. */
const lineHeight = 15
const apart = 9

/** Directions to try, the best to read first. */
const directions: readonly (readonly [number, number])[] = [
  [1, 0],
  [-1, 0],
  [0, -1],
  [0, 1],
  [1, -1],
  [1, 1],
  [-1, -1],
  [-1, 1],
]

/**
 * A place for each name beside its point where it covers no other name and no `solid` box (the points), and as few `soft` ones
 * (whiskers, lines) as can be; further off with a lead where there is none near. Names without any place are left out: the table below
 * the plot has them. Greedy, in the order given. O(names × (names + boxes)).
 */
export function placeLabels(wanted: readonly Wanted[], solid: readonly Box[], soft: readonly Box[], bounds: Box): PlacedLabel[] {
  const placed: PlacedLabel[] = []
  for (const one of wanted) {
    const width = pixelWidth(one.text)
    let best: { readonly label: PlacedLabel; readonly covered: number } | undefined
    for (const distance of [apart, apart + 12, apart + 28]) {
      for (const [dx, dy] of directions) {
        const box = boxAt(one, width, dx, dy, distance)
        if (box.left < bounds.left || box.right > bounds.right || box.top < bounds.top || box.bottom > bounds.bottom) continue
        if (solid.some((other) => overlaps(box, other)) || placed.some((other) => overlaps(box, other.box))) continue
        const covered = soft.filter((other) => overlaps(box, other)).length + (distance - apart) / 12
        if (best === undefined || covered < best.covered) best = { label: { ...one, box, lead: distance > apart }, covered }
      }
      if (best && best.covered < 1) break
    }
    if (best) placed.push(best.label)
  }
  return placed
}

function boxAt({ x, y, own }: Wanted, width: number, dx: number, dy: number, distance: number): Box {
  // Aslant the same distance would look farther, and no whisker is in the way. Beyond a long whisker a name would seem to be another
  // point's.
  const whisker = dx === 0 ? (dy > 0 ? own.bottom - y : y - own.top) : dx > 0 ? own.right - x : x - own.left
  const off = dx !== 0 && dy !== 0 ? distance * 0.75 : whisker > 36 ? distance : distance + Math.max(0, whisker - 5)
  const left = dx === 0 ? x - width / 2 : dx > 0 ? x + off : x - off - width
  const top = dy === 0 ? y - lineHeight / 2 : dy > 0 ? y + off - 2 : y - off - lineHeight + 2
  return { left, top, right: left + width, bottom: top + lineHeight }
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom
}

/** About how wide a text is at the plots' 13 pixels: a page drawn without a browser can't ask. Rather too wide than too narrow. */
export function pixelWidth(text: string): number {
  let width = 0
  for (const letter of text) {
    if (/[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60]|\p{Emoji_Presentation}/u.test(letter)) width += 14
    else if (/\p{Mn}/u.test(letter)) continue
    else if (/[iljtfrI.,:;'|!()[\] \u00a0-]/.test(letter)) width += 5.1
    else if (/[mwMW@%—…<>+=~#]/.test(letter)) width += 12.2
    else width += /\p{Lu}/u.test(letter) ? 9.4 : 8.1
  }
  return Math.ceil(width)
}

/** A text in at most `most` pixels, cut in the middle: both ends of a model's name tell it apart. */
export function cutToPixels(text: string, most: number): string {
  if (pixelWidth(text) <= most) return text
  const letters = [...text]
  let kept = letters.length - 1
  const cut = () => `${letters.slice(0, Math.ceil(kept / 2)).join('')}…${letters.slice(letters.length - Math.floor(kept / 2)).join('')}`
  while (kept > 1 && pixelWidth(cut()) > most) kept -= 1
  return cut()
}
