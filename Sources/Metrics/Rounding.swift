extension Double {
    /// The number with one decimal that is nearest to this one, as `printf("%.1f")` finds it: 0.25, which lies just between two,
    /// becomes the even 0.2, and 0.35, whose double lies below, becomes 0.3.
    ///
    /// `(x * 10).rounded() / 10` gives 0.3 and 0.4: the product is rounded before it is compared.
    public var roundedToTenths: Double {
        guard magnitude < 0x1p49 else { return self }
        let product = self * 10
        // What the product lost, exactly.
        let lost = (-product).addingProduct(self, 10)
        var tenths = product.rounded(.toNearestOrEven)
        let distance = product - tenths
        // The product lies just between two, or so it seems: the lost part decides.
        if distance == 0.5, lost > 0 { tenths += 1 }
        if distance == -0.5, lost < 0 { tenths -= 1 }
        return tenths / 10
    }
}
