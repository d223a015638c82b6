"""Lines of dialogue: is the emotion on an actor's face one that the line is meant to have?

    python benchmarks/dialogue.py [--reader face-api]

The wording of `emo3d_lab.actor.read_line` was chosen by the first half of each kind. The second half was written before
and chose nothing, though every run of this file reads it. A line may fit several emotions. Context, line and emotions
are parted by bars.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from emo3d.emotions import EMOTIONS
from emo3d_lab.actor import Actor, read_line
from emo3d_lab.clips.timeline import leading_emotions

# Acts that come out as these emotions.
_FEELINGS = dict(happiness="overjoyed", surprise="astonished", sadness="heartbroken", anger="furious")
_FEELINGS |= dict(disgust="disgusted", fear="terrified", contempt="contemptuous")

LINES = {
    "lines": (
        """
        I'm done explaining, the system is broken. | anger sadness contempt
        You got the job! I knew you would! | happiness surprise
        Wait, you're getting married? Since when? | surprise
        I buried my brother this morning. | sadness
        Get your hands off my car before I break them. | anger
        There's something crawling in the soup. | disgust fear surprise
        Please don't leave me alone down here, I heard footsteps. | fear
        Sure, genius, tell me again how that plan of yours will work. | contempt anger
        The meeting is at three in room four. | neutral
        It's been the best summer of my whole life. | happiness
        I told you a hundred times not to touch my things! | anger
        Nobody came to my birthday. | sadness
        Did that statue just move? | fear surprise
        Ugh, your socks smell like something died in them. | disgust
        Oh, you wrote a poem. How adorable. Did your mother like it? | contempt
        The report has twelve pages and two tables. | neutral
        We won! We actually won! | happiness surprise
        I miss her voice more than anything. | sadness
        The brakes aren't working! | fear surprise
        You lied to my face, again. | anger contempt sadness
        No way, that's the biggest pumpkin I have ever seen! | surprise happiness
        I can't eat this, it's covered in mould. | disgust
        Thank you for staying with me, it means a lot. | happiness
        I'm sorry, I should have been there for you. | sadness
        """,
        """
        My application was rejected, for the fifth time. | sadness anger
        Come here, let me hug you, it's so good to see you! | happiness
        How dare you speak to my daughter like that? | anger
        Who is behind the curtain? Show yourself! | fear anger
        The bus leaves at ten past six. | neutral
        There is a hair in my mouth and it isn't mine. | disgust
        What? Twins? | surprise
        I suppose someone like you wouldn't understand art. | contempt
        The doctor says it has spread. | sadness fear
        Ha, that's hilarious, tell it again! | happiness
        Stop it, stop it right now, I have had enough of you! | anger
        Run! It's coming up the stairs! | fear
        You kept the milk since March? That's revolting. | disgust
        I never expected to find you here, of all places! | surprise
        Oh please, amateurs. I could do that in my sleep. | contempt
        My number is on the back of the card. | neutral
        I got you a puppy! | happiness surprise
        He just stopped calling, and I don't even know why. | sadness
        They cancelled my flight and nobody will answer my questions. | anger
        I think we're being followed. | fear
        It works! After three years it finally works! | happiness surprise
        Everything I planted has died. | sadness
        He wiped his nose with his fingers and then shook my hand. | disgust
        The second shelf is for glasses, the first for plates. | neutral
        """,
    ),
    "small talk": (
        """
        Well. It is what it is. | neutral
        But I know who has the key. | neutral
        Let me check that for you. | neutral
        You can find it under settings. | neutral
        I think so, yes. | neutral
        What would you like to do next? | neutral
        Tell me more about it. | neutral
        Okay, let's start from the beginning. | neutral
        It depends on the weather. | neutral
        I usually have tea in the morning. | neutral
        The train takes about two hours. | neutral
        Which colour do you prefer? | neutral
        Hold on a moment. | neutral
        Sure, I can help with that. | neutral
        There are three ways to do this. | neutral
        I have never been to Norway. | neutral
        Maybe we should ask somebody. | neutral
        It's on the left, next to the bakery. | neutral
        I read a book about it once. | neutral
        Do you want me to repeat that? | neutral
        """,
        """
        Would you like some tea? | neutral
        I parked behind the church. | neutral
        The file is in the shared folder. | neutral
        That makes sense. | neutral
        He works at the post office. | neutral
        You need two eggs and some flour. | neutral
        We could meet on Thursday. | neutral
        I'll write it down. | neutral
        The second door on the right. | neutral
        It was built in nineteen sixty. | neutral
        Can you spell that, please? | neutral
        My sister lives in Leeds. | neutral
        Let's see what the manual says. | neutral
        I had soup for lunch. | neutral
        The shop opens at nine. | neutral
        Press the green button to continue. | neutral
        It takes four batteries. | neutral
        I'll be back in a minute. | neutral
        She teaches chemistry. | neutral
        That is one way to look at it. | neutral
        """,
    ),
    "with an act": (
        """
        <act>sighs</act> I miss her voice. | sadness
        <act>sighs</act> Finally home, what a lovely evening. | happiness
        <act>nods</act> I love it! | happiness
        <act>bitterly</act> I am so happy for you. | anger contempt sadness
        <act>laughs</act> I can't believe you did that. | happiness
        <act>voice breaking</act> The doctor says it has spread. | sadness fear
        <act>angrily</act> The meeting is at three. | anger
        <act>sarcastically</act> Oh, what a wonderful idea. | contempt
        <act>whispers</act> There is somebody behind the door. | fear
        <act>smiles</act> Do you remember when we lost everything? | happiness
        <act>crying</act> I got the job. | sadness happiness
        <act>shrugs</act> It doesn't matter. | contempt neutral sadness
        <act>groans</act> Not this again. | anger sadness disgust contempt
        <act>clears throat</act> The report has twelve pages. | neutral
        <act>thrilled</act> The bus leaves at ten. | happiness
        <act>terrified</act> Please open the door. | fear
        😢 It's okay. | sadness
        😡 See you tomorrow. | anger
        <act>laughs nervously</act> I'm sure it's nothing. | fear happiness
        🙄 Great, just great. | contempt
        😂 I am dying, stop! | happiness
        🤢 Mum made her special soup. | disgust
        😱 Look who is coming. | fear surprise
        😭 We won the cup! | sadness happiness
        😏 You look lovely today. | contempt
        😊 I have to go now. | happiness
        <act>scowls</act> Thank you so much. | anger
        <act>beaming</act> I failed the exam! | happiness
        <act>rolls her eyes</act> What a brilliant plan. | contempt
        <act>with disgust</act> You brought a present. | disgust
        <act>sobbing</act> I'm fine, really. | sadness
        <act>glares</act> Have a nice day. | anger
        <act>shuddering</act> Another oyster? How kind of you. | disgust fear
        <act>gasps</act> You are early. | surprise
        <act>grins</act> I broke your vase. | happiness
        <act>trembling</act> Everything will be all right. | fear
        """,
        """
        *smiles* I have to tell you something. | happiness
        <act>furious</act> The bill, please. | anger
        (sobbing) It was only a dog, I know. | sadness
        *rolls her eyes* Yes, your majesty. | contempt
        😨 It's just the wind. | fear
        *gags* Delicious. | disgust happiness
        *gasps* For me? | surprise happiness
        <act>heartbroken</act> Congratulations to both of you. | sadness
        (laughing) Stop, my ribs hurt! | happiness
        *scowls* Fine, take it. | anger
        <act>disgusted</act> You shouldn't have. | disgust
        😠 I said I am not hungry. | anger
        <act>scared</act> Sure, let's go into the cave. | fear
        *grins* I may have eaten your cake. | happiness
        (bitterly) Another medal for you. | anger contempt sadness
        🤢 Is this the cheese? | disgust
        😲 You speak Finnish? | surprise
        *sneers* A bicycle. How modern. | contempt
        <act>relieved</act> The test came back. | happiness
        (nervously) There is no problem at all. | fear
        """,
    ),
    "with a context": (
        """
        Her laptop has just crashed. | Great. | anger sadness contempt
        He is furious with his wife. | Fine. | anger
        Bob has insulted her mother. | What did you say? | anger
        At the grave of her father. | I brought you flowers. | sadness
        She has won the lottery. | What did you say? | happiness surprise
        She is being sarcastic. | Oh, what a wonderful idea. | contempt
        She is proud of her son. | You did it. | happiness
        They found a bomb under the seat. | Nobody move. | fear
        The waiter brings rotten fish. | What is this? | disgust
        The user thanks her. | You're welcome. | happiness
        A customer is calm and asks for opening hours. | We are open until six. | neutral
        At a funeral. | We won! We actually won! | happiness surprise
        At a birthday party. | I buried my brother this morning. | sadness
        sarcastic | Lovely weather. | contempt
        nervous before an exam | I know everything. | fear
        The user says: you are useless! | I see. | sadness anger
        The user says: my cat died yesterday. | Oh no. | sadness
        The user says: we got the tickets! | Oh my. | happiness surprise
        An old friend stands at the door, back from the war. | You. | happiness surprise
        lonely | Good night. | sadness
        The milk is sour. | I drank it. | disgust
        Her brother has broken her guitar, on purpose. | It was a present. | anger sadness
        a proud queen looks down on a beggar | You may speak. | contempt
        a boring office | The printer is on the second floor. | neutral
        """,
        """
        His team has just lost the final. | Well played. | sadness anger contempt neutral
        She has found a spider in her shoe. | Get it out. | fear disgust
        The user says: I passed my exam! | Really? | happiness surprise
        The user says: you are the worst assistant ever. | Okay. | sadness anger
        An employee asks how to reset a password. | Click on your name. | neutral
        He is jealous of his brother. | Nice car. | anger contempt sadness
        She is in love with him. | Hello. | happiness
        The baby has been sick on his jacket. | Oh. | disgust surprise
        The ship is sinking. | Where is my son? | fear
        sarcastic teenager | Best day ever. | contempt
        Her grandmother died last night. | She taught me to knit. | sadness
        A magician makes the coin vanish. | How did you do that? | surprise
        He despises the new intern. | Let me explain it slowly. | contempt anger
        They have cheated her out of her savings. | Give it back. | anger
        tired after a long shift | The keys are in the drawer. | sadness neutral
        at a wedding, full of joy | Look at them. | happiness
        """,
    ),
}


def main() -> None:
    """Print shares of lines whose emotion is right, read as such and as the actor words them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--reader", help="an emotion reader that looks at the rendered faces, too")
    parser.add_argument("--misses", action="store_true", help="list the lines that are not right")
    arguments = parser.parse_args()
    generator = Actor().generator
    table = Table("kind", "half", "lines", "bare", "as worded", "by a reader", "mean length bare", "as worded")
    for kind, halves in LINES.items():
        for half, text in zip(("design", "held out"), halves, strict=True):
            rows = [[cell.strip() for cell in line.split("|")] for line in text.split("\n")[1:-1]]
            meant = [row[-1].split() for row in rows]
            worded = [read_line(row[-2], row[0] if len(row) == 3 else None).text for row in rows]
            faces = [generator.generate([row[-2] for row in rows]), generator.generate(worded)]
            names = [leading_emotions(part) for part in faces]
            if arguments.reader:
                names.append(_seen(faces[1], arguments.reader))
            right = [sum(name in fit for name, fit in zip(part, meant, strict=True)) for part in names]
            shares = [f"{count / len(rows):.2f}" for count in right] + [""] * (3 - len(right))
            lengths = [f"{np.linalg.norm(part, axis=1).mean():.2f}" for part in faces]
            table.add_row(kind, half, str(len(rows)), *shares, *lengths)
            for row, name, fit in zip(rows, names[1], meant, strict=True):
                if arguments.misses and name not in fit:
                    print(f"{name}: {' | '.join(row)}")
    Console(width=120).print(table)
    _print_after(generator, arguments.reader)


def _print_after(generator: Any, reader: str | None) -> None:
    """Whether a line is still seen that comes 3 s after one of another feeling: mean over seven of these."""
    rows = [[cell.strip() for cell in line.split("|")] for line in LINES["with an act"][1].split("\n")[1:-1]]
    lines, meant = [row[0] for row in rows], [row[1].split() for row in rows]
    faces = []
    for emotion in EMOTIONS[1:]:
        for line in lines:
            actor = Actor(generator)
            actor.act(f"<act>{_FEELINGS[emotion]}</act>", at=0)
            faces.append(actor.act(line, at=3).felt)
    meant = meant * (len(EMOTIONS) - 1)
    table = Table("after another feeling", "lines", "right", "by a reader")
    stills = np.stack(faces)[:, :-1].astype(np.float32)
    names = [leading_emotions(stills)] + ([_seen(stills, reader)] if reader else [])
    shares = [f"{np.mean([name in fit for name, fit in zip(part, meant, strict=True)]):.2f}" for part in names]
    table.add_row("3 s later", str(len(stills)), *shares)
    Console(width=120).print(table)


def _seen(faces: np.ndarray, name: str) -> list[str]:
    from emo3d_lab.readers import load_reader

    reader = load_reader(name)
    shares = np.asarray(reader.read_expressions(faces, rig="adult"))
    return [reader.emotions[place] for place in shares.argmax(axis=1)]


if __name__ == "__main__":
    main()
