export { countTokens, countedCharacters, type Encoding, type TokenCount } from './tokenizer.js'
export { countRequestTokens } from './tokens.js'
export { likelyTokens, sureTokenBound } from './token-bounds.js'
export { encodingOf, modelFamily, tokenFactor, type ModelFamily } from './model-family.js'
