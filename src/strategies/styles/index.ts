export { styleIds, styleLibrary, styleOf, type Style, type StyleId } from './style-library.js'
export { preferredStyles, styleRatio, styledArm, type StyledModel } from './style-policy.js'
export { inStyle, styled } from './styled.js'
