import { InvalidRequest } from '../../errors/index.js'

/** Ids of a text's pieces, between the marks of its beginning and end. */
export interface WordPiece {
  encode(text: string): readonly number[]
  /** Fills up shorter texts of a batch. */
  readonly padding: number
}

export interface WordPieceOptions {
  /** Whether capitals and accents are dropped first: true when absent, as "uncased" vocabularies need. */
  readonly lowerCase?: boolean | undefined
  /** Most ids a text, the marks included: 256 when absent. */
  readonly maxTokens?: number | undefined
}

/** A word of more characters is unknown, as in the original. */
const longestWord = 100
const firstMark = '[CLS]'
const lastMark = '[SEP]'
const unknownMark = '[UNK]'
const paddingMark = '[PAD]'

/**
 * WordPiece as BERT has it (Devlin et al. 2018, `tokenization.py`): words at spaces, each sign of punctuation and each Han character a word; then the longest
 * piece of the vocabulary first, further ones with `##`. `lines` is `vocab.txt`, a piece a line. Throws `InvalidRequest` when a mark is missing. Linear but for the
 * longest matches: at most 100 tries a character of a word.
 */
export function createWordPiece(lines: readonly string[], { lowerCase = true, maxTokens = 256 }: WordPieceOptions = {}): WordPiece {
  if (!Number.isSafeInteger(maxTokens) || maxTokens < 3)
    throw new InvalidRequest(`maxTokens must be a whole number of 3 or more, not ${maxTokens}.`, { path: 'maxTokens' })
  const ids = new Map<string, number>()
  lines.forEach((line, id) => {
    const piece = line.trimEnd()
    if (piece !== '' && !ids.has(piece)) ids.set(piece, id)
  })
  const markId = (mark: string) => {
    const id = ids.get(mark)
    if (id === undefined)
      throw new InvalidRequest(`The vocabulary has no ${mark}: expected the vocab.txt of a WordPiece model.`, { path: 'vocabulary' })
    return id
  }
  const [first, last, unknown, padding] = [markId(firstMark), markId(lastMark), markId(unknownMark), markId(paddingMark)]

  function piecesOf(word: string): readonly number[] {
    const characters = [...word]
    if (characters.length > longestWord) return [unknown]
    const found: number[] = []
    for (let start = 0; start < characters.length;) {
      let end = characters.length
      let id: number | undefined
      for (; end > start && id === undefined; end--) id = ids.get((start > 0 ? '##' : '') + characters.slice(start, end).join(''))
      if (id === undefined) return [unknown]
      found.push(id)
      start = end + 1
    }
    return found
  }

  return {
    padding,
    encode(text) {
      const found: number[] = [first]
      for (const word of wordsIn(text, lowerCase)) {
        for (const id of piecesOf(word)) {
          if (found.length === maxTokens - 1) return [...found, last]
          found.push(id)
        }
      }
      return [...found, last]
    },
  }
}

const punctuation = /[\p{P}!-/:-@[-`{-~]/u
const ideograph = /[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]/u

function* wordsIn(text: string, lowerCase: boolean): Generator<string> {
  const clean = text.replace(/[\u0000\ufffd]|(?![\t\n\r])\p{C}/gu, '')
  const same = lowerCase
    ? clean
        .toLowerCase()
        .normalize('NFD')
        .replace(/\p{Mn}/gu, '')
    : clean
  let word = ''
  for (const character of same) {
    const alone = punctuation.test(character) || ideograph.test(character)
    if (!alone && !/\s/u.test(character)) {
      word += character
      continue
    }
    if (word !== '') yield word
    word = ''
    if (alone) yield character
  }
  if (word !== '') yield word
}
