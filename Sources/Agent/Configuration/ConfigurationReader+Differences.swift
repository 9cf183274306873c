#if Agent
/// What a file says differently to Python 3 than to Python 2.7, as whose it is read.
extension ConfigurationReader {
    mutating func noteDifferences() {
        var hasOddComment = false
        for difference in file.differences {
            // Whatever is between the items of a list, the list is the same.
            if case .blankLineInValue = difference.kind, difference.key?.hasSuffix("[]") != false { continue }
            if case .notUTF8 = difference.kind, difference.key == nil, difference.section == nil {
                if hasOddComment { continue }
                hasOddComment = true
            }
            warn(
                section: difference.section,
                key: difference.key,
                line: difference.line,
                Self.words(for: difference.kind)
            )
        }
    }

    private static func words(for kind: ConfigFile.Difference.Kind) -> String {
        switch kind {
        case .commentBehindValue:
            "what follows ' ;' is a comment, as in Python 2.7; to Python 3 it is part of the value"
        case .emptyQuotes: "\"\" is an empty value, as in Python 2.7; to Python 3 the value is two quotation marks"
        case .remark: "a line that starts with 'rem' is a comment, as in Python 2.7; to Python 3 it is none"
        case .commentInValue:
            "an indented line that starts with # or ; is part of the value to Python 2.7, and a comment to Python 3: "
                + "where it can only be a comment it is taken for one"
        case .blankLineInValue:
            "the empty line before is no part of the value, as in Python 2.7; to Python 3 it is"
        case .repeatedSection(let first):
            "the section stands in line \(first) already: the two are one, as in Python 2.7; Python 3 refuses the file"
        case .repeatedKey(let first):
            "the key stands in line \(first) already: this one holds, as in Python 2.7; Python 3 refuses the file"
        case .bracketBehindHeader: "the name ends at the first ']', as in Python 2.7; to Python 3 at the last"
        case .oddBlank:
            "holds white space that is neither blank nor tab, and that is part of the text, as in Python 2.7; Python 3 "
                + "leaves it out"
        case .carriageReturn: "a carriage return ends no line, as in Python 2.7; to Python 3 it does"
        case .notUTF8: "the line is not UTF-8 text: it is read as ISO 8859-1"
        }
    }
}
#endif
