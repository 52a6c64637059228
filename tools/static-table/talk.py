"""Chinese sentences as people say them to an assistant or write them into a diary, made of patterns of our
own: no package with a clear licence holds enough. Their slots are filled with words drawn at random,
so that every frequent word is met beside others; whether a sentence makes sense does not matter to
what its words are worth in it."""
import random
import re

SEED = 11

# Slots: n a noun, v a verb, a an adjective, ns a place.
PATTERNS = """
我昨天在{ns}{v}了{n}，觉得很{a}。|今天和朋友一起去{v}，玩得特别{a}。|你知道吗，我最近开始学{n}了！
妈妈给我买了一个新的{n}，我太喜欢了。|上个周末我们全家去了{ns}，看到了{n}和{n}。|我有点担心{n}的事情，不知道该怎么办。
他因为{n}{v}而感到很{a}。|老师今天表扬了我的{n}，我好开心。|公司决定把{n}{v}到{n}，大家都很{a}。
我们讨论了{n}的{n}，最后决定先{v}再{v}。|这个{n}真的很{a}，你也应该试试。|别难过，{n}会{v}的，我陪着你。
小时候我最喜欢{v}，后来就没有时间了。|爸爸生病了，我一直在医院{v}，心里很{a}。|听说{ns}的{n}很有名，下次带你去{v}。
你觉得我应该{v}还是{v}？|当然可以，先{v}{n}，然后慢慢{v}就好了。|太棒了！恭喜你{v}了{n}！
我参加了{n}比赛，可惜没有{v}，有点{a}。|晚上吃了{n}，味道{a}，以后还想再来。|我家的{n}昨天{v}了，我哭了很久。
那本关于{n}的书让我想起了{n}。|明天要去{ns}出差，得准备{n}和{n}。|我喜欢{n}，不喜欢{n}，因为它太{a}了。
为什么{n}总是{v}？能告诉我原因吗？|数据库的{n}{v}失败了，需要{v}一下{n}。|会议上决定{v}{n}，由小王负责{v}。
生日那天朋友们送了我{n}，还一起{v}。|最近工作{a}，每天都要{v}到很晚。|他在{ns}学习{n}，梦想是成为{n}。
放假的时候我想去{ns}{v}，你有什么建议吗？|第一次{v}的时候特别紧张，现在已经{a}多了。|我跟{n}吵架了，心情很{a}。
天气{a}，我们在公园里{v}，还拍了{n}的照片。|谢谢你的{n}，我会好好{v}的。
医生说要少{v}，多{v}，注意{n}。|我打算用{n}代替{n}，这样更{a}。|昨晚做了一个{a}的梦，梦见{n}在{v}。
{n}的{n}已经{v}，请检查{n}。|孩子们在学校表演{n}，大家都鼓掌。|我把{n}忘在{ns}了，真是{a}。
"""


def sentences(words, count):
    """`count` different sentences in order; `words` has a list for each kind of slot."""
    draw = random.Random(SEED)
    patterns = [part.strip() for part in re.split(r"[|\n]", PATTERNS) if part.strip()]
    made = set()
    while len(made) < count:
        pattern = draw.choice(patterns)
        made.add(re.sub(r"\{(\w+)\}", lambda slot: draw.choice(words[slot.group(1)]), pattern))
    return sorted(made)
