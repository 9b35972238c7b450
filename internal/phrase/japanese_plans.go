package phrase

// japanesePlans are the steps that orders and requests are made of (failover).
var japanesePlans = map[string]string{
	"the doors send traffic to %s in slot %s again":                      "ドアはスロット %[2]s の %[1]s に再びトラフィックを送ります",
	"the doors send nothing new to %s in slot %s, until it is undrained": "解除されるまで、ドアはスロット %[2]s の %[1]s に新しい要求を送りません",
	"%d of %d slots of pool %s go on serving":                            "プール %[3]s の %[2]s スロット中 %[1]s が稼働を続けます",
	"the doors send nothing new to %s, and it goes on for %v":            "ドアは %s に新しい要求を送らず、%s は処理を続けます",
	"%s stops slot %s, and proves it, within %v":                         "%s がスロット %s を停止し、%s 以内に証明します",
	"%s stops slot %s by %s, and proves it, within %v":                   "%s が %[3]s でスロット %[2]s を停止し、%[4]s 以内に証明します",
	"spare %s is claimed, the best of %d free":                           "空き %[2]s のうち最適な予備 %[1]s を確保します",
	"%s starts slot %s, within %v":                                       "%s がスロット %s を %s 以内に起動します",
	"%s starts slot %s by %s, within %v":                                 "%s が %[3]s でスロット %[2]s を %[4]s 以内に起動します",
	"its observers see it serve, within %v":                              "観測者が %s 以内に稼働を確認します",
	"%s is the occupant, and the doors send traffic there":               "%s が担当になり、ドアはそこへトラフィックを送ります",
	"%s stops slot %s after %v, and is a spare":                          "%s は %[3]s 後にスロット %[2]s を停止し、予備になります",
	"%s stops slot %s by %s after %v, and is a spare":                    "%s は %[4]s 後に %[3]s でスロット %[2]s を停止し、予備になります",
	"%s is a spare": "%s は予備になります",
	"it takes effect %v after it was announced, unless another operator vetoes it, or at once if one approves it":       "告知の %s 後に発効します（拒否されれば無効、承認されればただちに発効）",
	"another operator has to approve it within %v":                                                                      "%s 以内に別のオペレーターの承認が必要です",
	"it may be made use of for %v after that, as long as slot epoch, verdict and pool are the same":                     "その後 %s のあいだ、スロット世代・判定・プールが同じである限り使えます",
	"C-%d takes it as proven that %s does not run slot %s at slot epoch %d any more (V-%d)":                             "C-%s は、%s がスロット %s（スロット世代 %s）をもう動かしていないことを証明済みとします（V-%s）",
	"C-%d goes on with slot %s, lost with %s at slot epoch %d (V-%d), in spite of the brake":                            "C-%s は、%[3]s（スロット世代 %[4]s）とともに失われたスロット %[2]s をブレーキにかかわらず進めます（V-%[5]s）",
	"C-%d goes on with slot %s, lost with %s at slot epoch %d (V-%d), in spite of the brake and budget":                 "C-%s は、%[3]s（スロット世代 %[4]s）とともに失われたスロット %[2]s をブレーキと予算にかかわらず進めます（V-%[5]s）",
	"C-%d may have a spare of the reserve for slot %s, lost with %s at slot epoch %d (V-%d)":                            "C-%s は、%[3]s（スロット世代 %[4]s）とともに失われたスロット %[2]s に温存分の予備を使えます（V-%[5]s）",
	"slot %s fails over from %s, which is %s, at slot epoch %d: drained at once, fenced, replaced, and a strike for it": "スロット %s を %s（%s、スロット世代 %s）からフェイルオーバー：ただちに切り離し、フェンスし、置き換え、ストライクを記録します",
}
