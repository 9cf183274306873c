import Testing

@testable import PsistatsAgent

@Test("the command is called psistats")
func commandName() {
    #expect(Psistats.configuration.commandName == "psistats")
}
