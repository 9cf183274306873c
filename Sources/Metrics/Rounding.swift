extension Double {
    /// The number with one decimal that is nearest to this one, as `printf("%.1f")` finds it: 0.25, which lies just between two,
    /// becomes the even 0.2, and 0.35, whose double lies below, becomes 0.3.
    ///
    /// `(x * 10).rounded() / 10` gives 0.3 and 0.4: the product is rounded before it is compared.
    public var roundedToTenths: Double { rounded(toParts: 10) }

    /// The number with three decimals that is nearest to this one, as `printf("%.3f")` finds it.
    public var roundedToThousandths: Double { rounded(toParts: 1_000) }

    /// How many percent `part` is of `whole`, with one decimal; 0 of nothing.
    ///
    /// Divided first and multiplied then, as psutil does it: the other way round, 35 of 10,000 is 0.3 and not 0.4.
    static func percent(_ part: Double, of whole: Double) -> Double {
        whole > 0 ? (part / whole * 100).roundedToTenths : 0
    }

    private func rounded(toParts parts: Double) -> Double {
        // Numbers this large are further apart than the parts are.
        guard ulp * parts <= 1 else { return self }
        let product = self * parts
        // What the product lost, exactly.
        let lost = (-product).addingProduct(self, parts)
        var whole = product.rounded(.toNearestOrEven)
        let distance = product - whole
        // The product lies just between two, or so it seems: the lost part decides.
        if distance == 0.5, lost > 0 { whole += 1 }
        if distance == -0.5, lost < 0 { whole -= 1 }
        return whole / parts
    }
}
